//! The functions of the engine that SQL may call: an allow-list, by what each of them reads.
//!
//! A function that a later engine brings is in no class, is not there for anybody, and fails a test
//! until somebody has thought about it.
//! What Runrate and its function pack add are registered by name elsewhere and need no list.

use datafusion::execution::{SessionStateBuilder, SessionStateDefaults as Defaults};

/// Scalar functions that read their arguments only.
const PURE: &str = "\
    abs acos acosh array_add array_any_value array_append array_avg array_compact array_concat \
    array_dims array_distance array_distinct array_element array_except array_has array_has_all \
    array_has_any array_intersect array_length array_max array_min array_ndims array_normalize \
    array_pop_back array_pop_front array_position array_positions array_prepend array_product \
    array_remove array_remove_all array_remove_n array_repeat array_replace array_replace_all \
    array_replace_n array_resize array_reverse array_scale array_slice array_sort array_subtract \
    array_sum array_to_string array_union arrays_zip arrow_cast arrow_field arrow_metadata \
    arrow_try_cast arrow_typeof ascii asin asinh atan atan2 atanh bit_length btrim cardinality \
    cast_to_type cbrt ceil character_length chr coalesce concat concat_ws contains cos cosh \
    cosine_distance cot date_bin date_part date_trunc decode degrees digest empty encode ends_with \
    exp factorial find_in_set flatten floor from_unixtime gcd generate_series get_field greatest \
    initcap inner_product isnan iszero lcm least left levenshtein ln log log10 log2 lower lpad \
    ltrim make_array make_date make_time map map_entries map_extract map_keys map_values md5 \
    named_struct nanvl nullif nvl nvl2 octet_length overlay pi power radians range regexp_count \
    regexp_instr regexp_like regexp_match regexp_replace repeat replace reverse right round rpad \
    rtrim sha224 sha256 sha384 sha512 signum sin sinh split_part sqrt starts_with string_to_array \
    strpos struct substr substr_index tan tanh to_char to_date to_hex to_local_time to_time \
    to_timestamp to_timestamp_micros to_timestamp_millis to_timestamp_nanos to_timestamp_seconds \
    to_unixtime translate trunc try_cast_to_type union_extract union_tag upper \
";

/// Those that read the clock, as it was when the statement began.
const CLOCK: &str = "\
    current_date current_time now \
";

/// Those that give something else at each call.
const CHANCE: &str = "\
    random uuid \
";

/// Those that take a function.
const LAMBDAS: &str = "\
    array_any_match array_filter array_first array_transform \
";

/// Aggregates.
const AGGREGATES: &str = "\
    any_value approx_distinct approx_median approx_percentile_cont \
    approx_percentile_cont_with_weight array_agg avg bit_and bit_or bit_xor bool_and bool_or corr \
    count covar_pop covar_samp first_value grouping last_value max median min nth_value \
    percentile_cont regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx \
    regr_sxy regr_syy stddev stddev_pop string_agg sum var var_pop \
";

/// Window functions.
const WINDOWS: &str = "\
    cume_dist dense_rank first_value lag last_value lead nth_value ntile percent_rank rank \
    row_number \
";

/// Functions in FROM.
const IN_FROM: &str = "\
    generate_series range \
";

fn is_in(class: &str, name: &str) -> bool {
    class.split_ascii_whitespace().any(|known| known == name)
}

fn is_scalar(name: &str) -> bool {
    [PURE, CLOCK, CHANCE].iter().any(|class| is_in(class, name))
}

/// `builder` with the operators of the engine and those of its functions that are allowed; nothing
/// that reads or writes files.
pub(super) fn allowed(builder: SessionStateBuilder) -> SessionStateBuilder {
    let mut scalars = Defaults::default_scalar_functions();
    scalars.retain(|function| is_scalar(function.name()));
    let mut lambdas = Defaults::default_higher_order_functions();
    lambdas.retain(|function| is_in(LAMBDAS, function.name()));
    let mut aggregates = Defaults::default_aggregate_functions();
    aggregates.retain(|function| is_in(AGGREGATES, function.name()));
    let mut windows = Defaults::default_window_functions();
    windows.retain(|function| is_in(WINDOWS, function.name()));
    let tables = Defaults::default_table_functions().into_iter();
    let tables = tables.filter(|function| is_in(IN_FROM, function.name()));
    builder
        .with_expr_planners(Defaults::default_expr_planners())
        .with_scalar_functions(scalars)
        .with_higher_order_functions(lambdas)
        .with_aggregate_functions(aggregates)
        .with_window_functions(windows)
        .with_table_function_list(tables.collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Those that nobody calls, each with its reason.
    const REFUSED: &[(&str, &str)] = &[
        ("file_row_index", "tells how rows lie in files, those of other people among them"),
        ("input_file_name", "tells where the lake is"),
        ("version", "tells the engine's version; the server has its own"),
        ("with_metadata", "marks columns as types that they are not"),
    ];

    /// Names that the engine has and no class of `classes`, and the other way round.
    fn differences(names: Vec<String>, classes: &[&str]) -> (Vec<String>, Vec<String>) {
        let has: BTreeSet<String> = names.into_iter().collect();
        let listed: BTreeSet<String> = classes
            .iter()
            .flat_map(|class| class.split_ascii_whitespace().map(str::to_owned))
            .collect();
        let only = |a: &BTreeSet<String>, b: &BTreeSet<String>| a.difference(b).cloned().collect();
        (only(&has, &listed), only(&listed, &has))
    }

    #[test]
    fn every_function_of_the_engine_is_in_a_class() {
        let none = (Vec::<String>::new(), Vec::<String>::new());
        let refused = REFUSED.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" ");
        let scalars = Defaults::default_scalar_functions();
        let names = scalars.iter().map(|f| f.name().to_owned()).collect();
        assert_eq!(differences(names, &[PURE, CLOCK, CHANCE, &refused]), none);
        let lambdas = Defaults::default_higher_order_functions();
        let names = lambdas.iter().map(|f| f.name().to_owned()).collect();
        assert_eq!(differences(names, &[LAMBDAS]), none);
        let aggregates = Defaults::default_aggregate_functions();
        let names = aggregates.iter().map(|f| f.name().to_owned()).collect();
        assert_eq!(differences(names, &[AGGREGATES]), none);
        let windows = Defaults::default_window_functions();
        let names = windows.iter().map(|f| f.name().to_owned()).collect();
        assert_eq!(differences(names, &[WINDOWS]), none);
        let tables = Defaults::default_table_functions();
        let names = tables.iter().map(|f| f.name().to_owned()).collect();
        assert_eq!(differences(names, &[IN_FROM]), none);
    }
}

//! What a company's recurring revenue says of the sales operations it needs.

/// Bands of annual recurring revenue (units of currency): where they begin, name, and the role that
/// leads sales operations in them.
const BANDS: [(f64, &str, &str); 3] = [
    (0.0, "under 1M", "technical sales operations representative"),
    (1e6, "1M to 10M", "sales effectiveness manager"),
    (1e7, "10M and over", "director of sales operations"),
];

fn band(arr: f64) -> Option<&'static (f64, &'static str, &'static str)> {
    BANDS.iter().rev().find(|(from, _, _)| arr >= *from)
}

/// Name of the band of `arr`; NULL below zero.
pub fn arr_band(arr: f64) -> Option<&'static str> {
    band(arr).map(|(_, name, _)| *name)
}

/// Role that sales operations need at `arr`; NULL below zero.
pub fn sales_ops_role(arr: f64) -> Option<&'static str> {
    band(arr).map(|(_, _, role)| *role)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boundary_belongs_to_the_band_above() {
        for (arr, wanted) in [
            (-0.01, None),
            (0.0, Some("under 1M")),
            (999_999.99, Some("under 1M")),
            (1e6, Some("1M to 10M")),
            (1e7, Some("10M and over")),
            (f64::NAN, None),
        ] {
            assert_eq!(arr_band(arr), wanted, "{arr}");
            assert_eq!(sales_ops_role(arr).is_some(), wanted.is_some());
        }
    }
}

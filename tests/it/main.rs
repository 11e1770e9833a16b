//! The one integration binary: whole rooms together, over files and sockets.
//!
//! What was measured on other servers, and the rules that follow from it, each with its tests:
//!
//! | fact or rule | test |
//! |---|---|
//! | 1 SQL after a failed login | `wire_login::sql_after_a_failed_login_is_never_run` |
//! | 2 errors before login that are not fatal | `wire_login::every_error_before_login_is_fatal` |
//! | 3 bytes before encryption | `wire_login::bytes_before_encryption_cannot_enter_it` |
//! | 4 encryption that is only offered | `wire_login::where_encryption_is_required_nothing_goes_without`, `wire_login::a_server_that_could_not_be_safe_does_not_start` |
//! | 5 cancel, deadlines, clients that are gone | `wire::cancel_stops_what_runs_and_the_session_goes_on`, `wire::statements_end_at_their_deadline`, `wire::a_client_that_goes_away_takes_its_query_with_it`, `wire_limits::idle_sessions_and_stalled_readers_are_let_go` |
//! | 6 messages without limit, malformed ones | `wire_login::a_message_before_login_has_a_limit_and_malformed_ones_end_only_themselves`, `wire_limits::messages_texts_and_prepared_statements_have_limits`, `fuzz::no_message_and_no_statement_panics` |
//! | 7 settings shared, verifiers shown | `wire::sessions_share_no_settings_and_transactions_have_theirs`, `wire_login::nobody_is_shown_how_roles_log_in` |
//! | 8 statements that end the process | `wire::statements_that_would_end_the_process_are_refused`, `bombs::no_bomb_ends_the_process_or_fills_it` |
//! | 9 functions that fill the memory | `bombs::no_bomb_ends_the_process_or_fills_it`, `bombs::who_holds_most_goes_when_memory_is_short` |
//! | 10 row filters that leak | `access::hidden_rows_are_not_told_by_failure`, `access::hidden_rows_are_in_no_count_and_no_plan` |
//! | 11 statements that write or set anything | `wire::statements_that_do_not_only_read_are_refused`, `access::what_does_more_than_read_is_refused_to_every_role_on_every_way` |
//! | 12 commits that nobody confirmed | `ingest_kill::kills_at_twenty_moments_then_a_retry_give_exact_counts`, `ingest::a_second_run_of_the_same_bytes_loads_nothing` |
//! | 13 exports that are read wrongly | `source::csv_tests` of the library, `ingest::files_that_cannot_be_meant_are_refused_with_a_reason` |
//! | R1 what may be asked | `access::what_does_more_than_read_is_refused_to_every_role_on_every_way` |
//! | R2 row policies and masks | `access` |
//! | R3 errors | `wire::errors_say_what_is_wrong_and_nothing_of_the_machine`, `wire::explain_does_not_say_where_the_lake_is`, `access::what_is_not_granted_does_not_exist` |
//! | R4 logins | `wire_login` |
//! | R5 secrets and values in logs | `audit::every_statement_and_login_is_a_line_without_values` |
//! | R6 limits | `wire_limits`, `turns` of the server's own tests, `bombs` |
//! | R7 audit | `audit` |
//! | R8 persons | `erase` |
//! | R9 life | `life` |

mod access;
mod archives;
mod audit;
mod bombs;
mod buckets;
mod child;
mod currencies;
mod duplicates;
mod erase;
mod fuzz;
#[path = "../harness/mod.rs"]
mod harness;
mod hubspot;
mod ingest;
mod ingest_coverage;
mod ingest_crm;
mod ingest_drift;
mod ingest_faults;
mod ingest_full_disk;
mod ingest_history;
mod ingest_kill;
mod ingest_kill_steps;
mod ingest_past;
mod ingest_quality;
mod ingest_systems;
mod life;
mod live;
mod raw;
mod reports;
mod role_command;
mod salesforce;
mod secrets;
mod sync;
mod torture;
mod upkeep;
mod wire;
mod wire_limits;
mod wire_login;
mod wire_merge;
mod wire_write;

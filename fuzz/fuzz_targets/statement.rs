//! Bytes as SQL: masked, measured, parsed and sorted, or refused, never a panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    runrate::server::fuzzing::statement(bytes);
});

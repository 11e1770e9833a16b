//! Bytes as one message of the protocol: decoded or refused, never a panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    runrate::server::fuzzing::message(bytes);
});

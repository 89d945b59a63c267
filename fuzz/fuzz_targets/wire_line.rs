//! Any bytes as a line of a client of `--wire`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Err(why) = kimi_tui::fuzzing::wire_line(bytes) {
        panic!("{why}");
    }
});

//! Any bytes as a line of `stream-json` input.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Err(why) = kimi_tui::fuzzing::prompt_line(bytes) {
        panic!("{why}");
    }
});

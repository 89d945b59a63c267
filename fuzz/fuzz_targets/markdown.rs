//! Any bytes as an answer that is drawn.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Err(why) = kimi_tui::fuzzing::markdown(bytes) {
        panic!("{why}");
    }
});

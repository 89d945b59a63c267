//! Any bytes as a line of an editor.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Err(why) = kimi_tui::fuzzing::acp_line(bytes) {
        panic!("{why}");
    }
});

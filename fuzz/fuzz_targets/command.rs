//! Any bytes as a shell command that is judged.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Err(why) = kimi_tui::fuzzing::command(bytes) {
        panic!("{why}");
    }
});

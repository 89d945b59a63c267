//! Any bytes as what an MCP server writes.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Err(why) = kimi_tui::fuzzing::mcp_stream(bytes) {
        panic!("{why}");
    }
});

#![no_main]

#[path = "../hik_sadp.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|input: &[u8]| checks::sadp(input));

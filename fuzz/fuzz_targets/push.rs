#![no_main]

#[allow(dead_code)] // what the other targets check
#[path = "../checks.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|input: &[u8]| checks::push(input));

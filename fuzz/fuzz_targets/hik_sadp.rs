#![no_main]

#[allow(dead_code)] // what the other targets check
#[path = "../hik_checks.rs"]
mod hik_checks;

libfuzzer_sys::fuzz_target!(|input: &[u8]| hik_checks::sadp(input));

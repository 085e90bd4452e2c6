//! Templates of prompts, from arbitrary bytes.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| onekey_fuzz::template(input));

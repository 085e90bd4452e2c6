//! Answers and requests of one wire format, as far as arbitrary bytes are any.

#![no_main]

use onekey::adapter::Api;

libfuzzer_sys::fuzz_target!(|input: &[u8]| onekey_fuzz::api(Api::Anthropic, input));

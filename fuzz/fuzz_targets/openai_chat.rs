//! Answers and requests of one wire format, from arbitrary bytes.

#![no_main]

use onekey::adapter::Api;

libfuzzer_sys::fuzz_target!(|input: &[u8]| onekey_fuzz::api(Api::OpenaiChat, input));

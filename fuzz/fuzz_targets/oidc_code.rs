#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| landbridge_tests::oracle::oidc_code(data));

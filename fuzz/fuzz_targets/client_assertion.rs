#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| landbridge_tests::oracle::client_assertion(data));

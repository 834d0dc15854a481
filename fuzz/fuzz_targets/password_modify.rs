#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| landbridge_tests::oracle::password_modify(data));

//! `landbridge-pta-agent`: the command line.

fn main() {}

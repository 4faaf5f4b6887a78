@0xb2f6d3a5c7e81904;

interface Echo {
    echo @0 (number :UInt64) -> (number :UInt64);
}

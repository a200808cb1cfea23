module mimic/filters

go 1.24

require github.com/bmatcuk/doublestar v1.3.4

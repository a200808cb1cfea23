// Command reference-time parses each line of a file as an image reference, a given number of times. It prints the processor
// time in nanoseconds and the number of lines that are valid references.
package main

import (
	// The digest package supports only algorithms that the program imports.
	_ "crypto/sha256"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/distribution/reference"
)

func main() {
	text, err := os.ReadFile(os.Args[1])
	check(err)
	passes, err := strconv.Atoi(os.Args[2])
	check(err)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	valid := parse(lines)
	before := processorTime()
	for range passes {
		parse(lines)
	}
	fmt.Println(processorTime()-before, valid)
}

func parse(lines []string) (valid int) {
	for _, line := range lines {
		if _, err := reference.ParseNormalizedNamed(line); err == nil {
			valid++
		}
	}
	return valid
}

// processorTime includes all threads, because garbage collection is part of the cost.
func processorTime() int64 {
	var usage syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return usage.Utime.Nano() + usage.Stime.Nano()
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

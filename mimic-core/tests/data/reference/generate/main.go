// Command reference-table parses image references with github.com/distribution/reference.
//
// Without flags it prints the golden table: one line of JSON for each input in inputs.jsonl and from systematic().
// With -stdin it does the same for the JSON strings on standard input, one per line.
package main

import (
	"bufio"
	// The digest package supports only algorithms that the program imports.
	_ "crypto/sha256"
	_ "crypto/sha512"
	_ "embed"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf16"

	"github.com/distribution/reference"
	// Imported so that go.mod pins the version of the digest library.
	_ "github.com/opencontainers/go-digest"
)

//go:embed inputs.jsonl
var inputs string

type parsed struct {
	Input      string  `json:"input"`
	Registry   string  `json:"registry"`
	Repository string  `json:"repository"`
	Tag        *string `json:"tag"`
	Digest     *string `json:"digest"`
	Canonical  string  `json:"canonical"`
}

type refused struct {
	Input string `json:"input"`
	Error string `json:"error"`
}

func ask(input string) any {
	named, err := reference.ParseNormalizedNamed(input)
	if err != nil {
		return refused{input, err.Error()}
	}
	registry := reference.Domain(named)
	if registry == "" {
		// The one deviation: if the first component looks like a host but is not a valid one (`a_b.com/c`), the
		// library finds no host and treats it as part of the path. Such a reference cannot be pulled.
		return refused{input, "empty registry"}
	}
	answer := parsed{Input: input, Registry: registry, Repository: reference.Path(named), Canonical: named.String()}
	if tagged, ok := named.(reference.Tagged); ok {
		tag := tagged.Tag()
		answer.Tag = &tag
	}
	if digested, ok := named.(reference.Digested); ok {
		digest := digested.Digest().String()
		answer.Digest = &digest
	}
	return answer
}

// readStrings reads a JSON string from each line. It ignores empty lines and lines that start with #.
func readStrings(reader io.Reader, each func(string) error) error {
	scanner := bufio.NewScanner(reader)
	scanner.Buffer(nil, 1<<20)
	for line := 1; scanner.Scan(); line++ {
		text := scanner.Bytes()
		if len(text) == 0 || text[0] == '#' {
			continue
		}
		var input string
		if err := json.Unmarshal(text, &input); err != nil {
			return fmt.Errorf("line %d: %w", line, err)
		}
		if err := each(input); err != nil {
			return fmt.Errorf("line %d: %w", line, err)
		}
	}
	return scanner.Err()
}

// writeLine writes ASCII only, so that zero-width characters in the table are visible.
func writeLine(writer io.Writer, value any) error {
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return err
	}
	var ascii strings.Builder
	for _, char := range text.String() {
		if char < 0x7f {
			ascii.WriteRune(char)
			continue
		}
		for _, unit := range utf16.Encode([]rune{char}) {
			fmt.Fprintf(&ascii, `\u%04x`, unit)
		}
	}
	_, err := io.WriteString(writer, ascii.String())
	return err
}

func run(stdin bool) error {
	out := bufio.NewWriter(os.Stdout)
	if stdin {
		err := readStrings(os.Stdin, func(input string) error { return writeLine(out, ask(input)) })
		if err != nil {
			return fmt.Errorf("standard input: %w", err)
		}
		return out.Flush()
	}
	seen := map[string]bool{}
	err := readStrings(strings.NewReader(inputs), func(input string) error {
		if seen[input] {
			return fmt.Errorf("%q is a duplicate", input)
		}
		seen[input] = true
		return writeLine(out, ask(input))
	})
	if err != nil {
		return fmt.Errorf("inputs.jsonl: %w", err)
	}
	for _, input := range systematic() {
		if seen[input] {
			continue
		}
		seen[input] = true
		if err := writeLine(out, ask(input)); err != nil {
			return err
		}
	}
	return out.Flush()
}

func main() {
	stdin := flag.Bool("stdin", false, "read JSON strings, one per line, instead of printing the table")
	flag.Parse()
	if err := run(*stdin); err != nil {
		fmt.Fprintln(os.Stderr, "reference-table:", err)
		os.Exit(1)
	}
}

// Prints which repositories Harbor serves through filters.
//
// Reads lines of JSON from the standard input, {"kind", "pattern"}, and names of repositories from the file that is the
// only argument, one a line. Prints for each line {"kind", "pattern", "serves"}, with "error" if the pattern is invalid.
package main

import (
	"bufio"
	"encoding/json"
	"log"
	"os"
	"regexp"
	"strings"

	"github.com/bmatcuk/doublestar"
)

type filter struct {
	Kind    string   `json:"kind"`
	Pattern string   `json:"pattern"`
	Serves  []string `json:"serves"`
	Error   string   `json:"error,omitempty"`
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: generate NAMES <FILTERS")
	}
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	names := strings.Fields(string(text))
	out := bufio.NewWriter(os.Stdout)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var f filter
		if err := json.Unmarshal(lines.Bytes(), &f); err != nil {
			log.Fatalf("%s: %v", lines.Text(), err)
		}
		f.match(names)
		if err := encoder.Encode(f); err != nil {
			log.Fatal(err)
		}
	}
	if err := lines.Err(); err != nil {
		log.Fatal(err)
	}
	if err := out.Flush(); err != nil {
		log.Fatal(err)
	}
}

func (f *filter) match(names []string) {
	f.Serves = []string{}
	pattern := strings.TrimSpace(f.Pattern)
	matches := func(name string) (bool, error) { return doublestar.Match(pattern, name) }
	if f.Kind == "regex" {
		expression, err := regexp.Compile("^(?:" + pattern + ")$")
		if err != nil {
			f.Error = err.Error()
			return
		}
		matches = func(name string) (bool, error) { return expression.MatchString(name), nil }
	}
	for _, name := range names {
		ok, err := matches(name)
		if err != nil {
			f.Error = err.Error()
		}
		if ok && err == nil {
			f.Serves = append(f.Serves, name)
		}
	}
}

// context: prints the files of the folder it runs in that a build would be given, by its .dockerignore, one a line.
package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

func main() {
	if err := list(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func list() error {
	file, err := os.Open(".dockerignore")
	if err != nil {
		return err
	}
	patterns, err := ignorefile.ReadAll(file)
	if err != nil {
		return err
	}
	ignored, err := patternmatcher.New(patterns)
	if err != nil {
		return err
	}
	return filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == "." {
			return err
		}
		isIgnored, err := ignored.MatchesOrParentMatches(path)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if isIgnored && !mayHold(path, ignored.Patterns()) {
				return filepath.SkipDir
			}
		} else if !isIgnored {
			fmt.Println(path)
		}
		return nil
	})
}

// Whether a pattern takes back something below an ignored folder.
func mayHold(folder string, patterns []*patternmatcher.Pattern) bool {
	for _, pattern := range patterns {
		if pattern.Exclusion() && strings.HasPrefix(pattern.String()+"/", folder+"/") {
			return true
		}
	}
	return false
}

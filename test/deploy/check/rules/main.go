// rules FILE: parses rules as Prometheus does; then PromQL from standard input, one expression a line. Prints the names
// of the metrics that all of them read, one a line.
package main

import (
	"bufio"
	"fmt"
	"log/slog"
	"os"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

func main() {
	promql := parser.NewParser(parser.Options{})
	groups, errs := rulefmt.ParseFile(os.Args[1], false, model.UTF8Validation, promql, slog.Default())
	for _, err := range errs {
		fmt.Fprintln(os.Stderr, err)
	}
	if len(errs) > 0 {
		os.Exit(1)
	}
	for _, group := range groups.Groups {
		for _, rule := range group.Rules {
			names(promql, rule.Expr)
		}
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		names(promql, lines.Text())
	}
}

func names(promql parser.Parser, text string) {
	expr, err := promql.ParseExpr(text)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", text, err)
		os.Exit(1)
	}
	for _, matchers := range parser.ExtractSelectors(expr) {
		for _, matcher := range matchers {
			if matcher.Name == model.MetricNameLabel {
				fmt.Println(matcher.Value)
			}
		}
	}
}

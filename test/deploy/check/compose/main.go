// compose [FILE]: prints the project that Docker Compose would run, and what its secrets would hold, as JSON.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

func load(files []string) (*types.Project, error) {
	options, err := cli.NewProjectOptions(files,
		cli.WithOsEnv, cli.WithEnvFiles(), cli.WithDotEnv, cli.WithDefaultConfigPath, cli.WithDefaultProfiles())
	if err != nil {
		return nil, err
	}
	return options.LoadProject(context.Background())
}

func main() {
	project, err := load(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	secrets := map[string]string{}
	for name, secret := range project.Secrets {
		secrets[name] = project.Environment[secret.Environment]
	}
	err = json.NewEncoder(os.Stdout).Encode(map[string]any{"project": project, "secrets": secrets})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

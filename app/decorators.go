package app

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.uber.org/fx/fxevent"
)

// projectPath is where this project's own constructors are.
const projectPath = "github.com/picoauth/picoauth/"

// graphEvents collects fx's events about the graph while it is built.
type graphEvents struct {
	provided   map[string][]provider // by type
	decorators []decorator
	modules    []string
}

type provider struct {
	trace []string // modules, the innermost first
	ours  bool
}

type decorator struct {
	name, at string
	outputs  []string
	trace    []string
	module   string
}

func (g *graphEvents) note(event fxevent.Event) {
	switch e := event.(type) {
	case *fxevent.Provided:
		if e.ModuleName != "" && !slices.Contains(g.modules, e.ModuleName) {
			g.modules = append(g.modules, e.ModuleName)
		}
		for _, output := range e.OutputTypeNames {
			g.provided[output] = append(g.provided[output], provider{outer(e.ModuleTrace), isOurs(e.ConstructorName, output)})
		}
	case *fxevent.Supplied:
		g.provided[e.TypeName] = append(g.provided[e.TypeName], provider{trace: outer(e.ModuleTrace)})
	case *fxevent.Decorated:
		g.decorators = append(g.decorators, decorator{e.DecoratorName, first(e.StackTrace), e.OutputTypeNames, outer(e.ModuleTrace), e.ModuleName})
	case *fxevent.Replaced:
		g.decorators = append(g.decorators, decorator{"fx.Replace", first(e.StackTrace), e.OutputTypeNames, outer(e.ModuleTrace), e.ModuleName})
	}
}

// check returns an error for each decorator that fx ignores: one of a type that nothing provides, usually a concrete type instead
// of an interface, and one of a type of this project inside a module that does not contain its provider.
func (g *graphEvents) check() error {
	var faults []error
	for _, d := range g.decorators {
		for _, output := range d.outputs {
			if strings.Contains(output, "[group") {
				continue
			}
			providers := g.provided[output]
			switch {
			case len(providers) == 0:
				faults = append(faults, fmt.Errorf("%s (%s) has no effect: no constructor provides %s; a decorator must return exactly the type that it replaces, usually an interface", d.name, d.at, output))
			case d.module != "" && slices.ContainsFunc(providers, func(p provider) bool { return p.ours && !d.reaches(p) }):
				faults = append(faults, fmt.Errorf("%s (%s) has no effect on %s: it is inside the module %q; put it at the root of the app", d.name, d.at, output, d.module))
			}
		}
	}
	return errors.Join(faults...)
}

// reaches reports whether the decorator's module is the provider's or contains it.
func (d decorator) reaches(p provider) bool {
	return len(p.trace) >= len(d.trace) && slices.Equal(p.trace[len(p.trace)-len(d.trace):], d.trace)
}

// foreignPackages have the types of other projects that our constructors provide. A module may decorate these for itself.
var foreignPackages = []string{"slog", "echo", "koanf", "prometheus"}

// isOurs reports whether a constructor of this project provides a type of this project.
func isOurs(constructor, output string) bool {
	name, ok := strings.CutPrefix(constructor, projectPath)
	if !ok {
		return false
	}
	from, _, _ := strings.Cut(name, ".")
	floor, _, _ := strings.Cut(from, "/")
	of, _, _ := strings.Cut(strings.TrimLeft(output, "*[]"), ".")
	return slices.Contains([]string{"app", "serverauth", "clientauth"}, floor) &&
		!slices.Contains(foreignPackages, of)
}

// outer removes the place of the option itself from a trace.
func outer(trace []string) []string { return trace[min(1, len(trace)):] }

func first(lines []string) string {
	if len(lines) == 0 {
		return "unknown place"
	}
	return lines[0]
}

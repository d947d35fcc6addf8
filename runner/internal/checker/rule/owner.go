package rule

import (
	"fmt"
	"slices"
	"strings"

	"github.com/outrider-run/outrider/runner/internal/checker/threshold"
	"github.com/outrider-run/outrider/sdk/observe"
)

// The labels by which an owner sets something in the workflow itself.
const (
	LabelThreshold = observe.LabelThreshold
	LabelChannel   = observe.LabelChannel
	LabelRunbook   = observe.LabelRunbook
	LabelOff       = observe.LabelOff
)

// Owner is what a workflow's owner set in it. The config goes before it.
type Owner struct {
	Threshold threshold.Spec `json:"threshold,omitzero"`
	Channel   string         `json:"channel,omitempty"`
	Runbook   string         `json:"runbook,omitempty"`
	Off       []string       `json:"off,omitempty"` // kinds, or all
	// Problems are what could not be understood.
	Problems []string `json:"problems,omitempty"`
}

// maxLabel is how much of a label is shown.
const maxLabel = 100

// OwnerOf reads the labels, of which later ones go before earlier ones.
func OwnerOf(labels ...map[string]string) Owner {
	var o Owner
	for _, l := range labels {
		if v, ok := l[LabelThreshold]; ok {
			spec, err := threshold.Parse(v)
			if err != nil {
				o.Problems = append(o.Problems, fmt.Sprintf("label %s: %.*q: want a time such as 2h, or usual, or usual*1.5", LabelThreshold, maxLabel, v))
			} else {
				o.Threshold = spec
			}
		}
		if v := l[LabelChannel]; v != "" {
			o.Channel = v
		}
		if v := l[LabelRunbook]; v != "" {
			o.Runbook = v
		}
		v, ok := l[LabelOff]
		if !ok {
			continue
		}
		o.Off = nil
		_, facts := Kinds()
		for word := range strings.FieldsFuncSeq(strings.ToLower(v), func(c rune) bool { return c == ',' || c == ' ' }) {
			_, kind := facts[Kind(word)]
			switch {
			case word == "true" || word == "1" || word == "yes" || word == "all":
				o.Off = append(o.Off, "all")
			case kind:
				o.Off = append(o.Off, word)
			case word != "false" && word != "0" && word != "no":
				o.Problems = append(o.Problems, fmt.Sprintf("label %s: %.*q: want true, or kinds of rules such as running,late", LabelOff, maxLabel, v))
			}
		}
	}
	return o
}

func (o Owner) off(kind Kind) bool {
	return slices.Contains(o.Off, "all") || slices.Contains(o.Off, string(kind))
}

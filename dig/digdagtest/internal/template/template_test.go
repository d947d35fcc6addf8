package template

import (
	"strings"
	"testing"

	"github.com/outrider-run/outrider/dig/digdagtest/internal/conf"
)

func TestText(t *testing.T) {
	vars, err := conf.ParseObject([]byte(`{"a":1,"s":"x","o":{"k":[1,2]},"n":null,"f":1.5}`))
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]string{
		"plain":                                 "plain",
		"a $$ b":                                "a $ b",
		"${a}${s}":                              "1x",
		"${o} ${o.k[1]}":                        `{"k":[1,2]} 2`,
		"[${n}]":                                "[]",
		"${f+1}":                                "2.5",
		"${ {a:{b:1}}.a.b }":                    "1",
		"${} empty":                             " empty",
		"open ${a":                              "open ${a",
		"$HOME and $":                           "$HOME and $",
		"${secret:k} ${a}":                      "${secret:k} 1",
		"$${a}":                                 "$1",
		"${o.k.map(function(x){return x*2})}":   "[2,4]",
		"${JSON.stringify({q:s})}":              `{"q":"x"}`,
		"${s === 'x' ? 'yes' : 'no'}":           "yes",
		"quotes ' \" \\ and\nlines ${s} \u2028": "quotes ' \" \\ and\nlines x \u2028",
	} {
		got, err := Text(in, vars)
		if err != nil || got != want {
			t.Errorf("%q: got %q, %v; want %q", in, got, err, want)
		}
	}
}

func TestTextRefuses(t *testing.T) {
	for in, want := range map[string]string{
		"${nosuch}":                  "nosuch is not defined",
		"${[1].map(x => x)}":         "=>",
		"${`t`}":                     "template literals",
		"${moment()}":                "moment is not in the double",
		"${[1].includes(1)}":         "TypeError",
		"${Object.assign({}, {})}":   "TypeError",
		"${new Map()}":               "Map is not defined",
		"${a b}":                     "SyntaxError",
		"${(function({x}){})()}":     "destructuring",
		"${a.b}":                     "a is not defined",
		"${throwing()}":              "throwing is not defined",
		"${(function(){throw 1})()}": "1",
	} {
		_, err := Text(in, conf.New())
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "Failed to evaluate a variable "+in) {
			t.Errorf("%q: %v, want %q in it", in, err, want)
		}
	}
}

func TestEvalSeesTheKeysBefore(t *testing.T) {
	config, _ := conf.ParseObject([]byte(`{"first":"${p}1","second":"${first}2","deep":{"x":"${p}","y":["${x}"]},"_do":{"z":"${later}"}}`))
	got, err := Eval(config, conf.Of("p", "v"))
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"first":"v1","second":"v12","deep":{"x":"v","y":["v"]},"_do":{"z":"${later}"}}`; conf.Text(got) != want {
		t.Errorf("got %s, want %s", conf.Text(got), want)
	}
	if _, err := Eval(conf.Of("a", "${b}"), conf.New()); err == nil {
		t.Error("an unknown name went through")
	}
}

package template

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/dop251/goja"
	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/parser"
)

// later names the parts of JavaScript that came after ES5 and that goja has. A
// real Digdag refuses them, so the double must not let them pass.
func later() map[string]string {
	return map[string]string{
		"ArrowFunctionLiteral": "Expected , but found =>",
		"TemplateLiteral":      "template literals",
		"LexicalDeclaration":   "let and const",
		"ClassLiteral":         "classes",
		"ClassDeclaration":     "classes",
		"SpreadElement":        "spread",
		"ArrayPattern":         "destructuring",
		"ObjectPattern":        "destructuring",
		"PropertyShort":        "shorthand properties",
		"ForOfStatement":       "for of",
		"AwaitExpression":      "await",
		"YieldExpression":      "yield",
		"OptionalChain":        "?.",
		"Optional":             "?.",
		"SuperExpression":      "super",
		"MetaProperty":         "new.target",
	}
}

// checkES5 refuses what came after ES5, by name.
func checkES5(source string) error {
	program, err := parser.ParseFile(nil, "", source, 0)
	if err != nil {
		return fmt.Errorf("SyntaxError: %s", strings.TrimPrefix(err.Error(), "(anonymous): "))
	}
	if found := find(reflect.ValueOf(program.Body), later()); found != "" {
		return fmt.Errorf("SyntaxError: not in ECMAScript 5: %s", found)
	}
	return nil
}

// find walks a syntax tree, which goja has no visitor for.
func find(v reflect.Value, names map[string]string) string {
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		if !v.IsNil() {
			return find(v.Elem(), names)
		}
	case reflect.Slice:
		for i := range v.Len() {
			if found := find(v.Index(i), names); found != "" {
				return found
			}
		}
	case reflect.Struct:
		if v.Type().PkgPath() != reflect.TypeFor[ast.Program]().PkgPath() {
			return ""
		}
		if found, ok := names[v.Type().Name()]; ok {
			return found
		}
		for i := range v.NumField() {
			if !v.Type().Field(i).IsExported() {
				continue
			}
			if found := find(v.Field(i), names); found != "" {
				return found
			}
		}
	}
	return ""
}

// es5 lists what the global objects of ES5 have.
func es5() map[string]string {
	return map[string]string{
		"": "NaN Infinity undefined eval parseInt parseFloat isNaN isFinite decodeURI decodeURIComponent encodeURI " +
			"encodeURIComponent Object Function Array String Boolean Number Date RegExp Error EvalError RangeError " +
			"ReferenceError SyntaxError TypeError URIError Math JSON escape unescape",
		"Object": "prototype length name getPrototypeOf getOwnPropertyDescriptor getOwnPropertyNames create defineProperty " +
			"defineProperties seal freeze preventExtensions isSealed isFrozen isExtensible keys",
		"Object.prototype": "constructor toString toLocaleString valueOf hasOwnProperty isPrototypeOf propertyIsEnumerable",
		"Array":            "prototype length name isArray",
		"Array.prototype": "length constructor toString toLocaleString concat join pop push reverse shift slice sort splice " +
			"unshift indexOf lastIndexOf every some forEach map filter reduce reduceRight",
		"String": "prototype length name fromCharCode",
		"String.prototype": "length constructor toString valueOf charAt charCodeAt concat indexOf lastIndexOf localeCompare match " +
			"replace search slice split substring toLowerCase toLocaleLowerCase toUpperCase toLocaleUpperCase trim substr " +
			"trimLeft trimRight",
		"Math": "E LN10 LN2 LOG2E LOG10E PI SQRT1_2 SQRT2 abs acos asin atan atan2 ceil cos exp floor log max min pow " +
			"random round sin sqrt tan",
	}
}

// onlyES5 takes away what came later than ES5, and says of moment, which a real
// Digdag has, that it is missing here.
func onlyES5(vm *goja.Runtime) error {
	for path, keep := range es5() {
		o := vm.GlobalObject()
		for _, step := range strings.Split(path, ".") {
			if step != "" {
				o = o.Get(step).ToObject(vm)
			}
		}
		kept := strings.Fields(keep)
		for _, name := range o.GetOwnPropertyNames() {
			if !slices.Contains(kept, name) {
				if err := o.Delete(name); err != nil {
					return fmt.Errorf("make JavaScript ES5: %w", err)
				}
			}
		}
	}
	missing := vm.ToValue(func(goja.FunctionCall) goja.Value {
		panic(vm.NewTypeError("moment is not in the double of Digdag"))
	})
	return vm.GlobalObject().DefineAccessorProperty("moment", missing, nil, goja.FLAG_TRUE, goja.FLAG_FALSE)
}

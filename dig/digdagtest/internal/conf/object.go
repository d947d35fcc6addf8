// Package conf holds the values that Digdag computes with: JSON objects that
// keep the order of their keys, as Digdag's own Config does.
//
// A value is nil, a bool, a json.Number, a string, a []any of values or an
// *Object. Numbers keep their text, so that 1.0 does not become 1 on its way
// through a parameter. Nothing here knows of workflows or files.
package conf

// Object is a JSON object whose keys keep the order in which they were set.
// The zero value is empty and ready to use; a nil *Object reads as empty.
type Object struct {
	keys   []string
	values map[string]any
}

// New returns an empty object.
func New() *Object { return &Object{} }

// Of returns an object with one key, for the many that need no more.
func Of(key string, value any) *Object {
	o := New()
	o.Set(key, value)
	return o
}

// Keys returns the keys in order. The caller must not change the slice.
func (o *Object) Keys() []string {
	if o == nil {
		return nil
	}
	return o.keys
}

// Len is the number of keys.
func (o *Object) Len() int { return len(o.Keys()) }

// Get returns a value, nil when the key is absent.
func (o *Object) Get(key string) any {
	if o == nil {
		return nil
	}
	return o.values[key]
}

// Has tells whether the key is there, be its value null.
func (o *Object) Has(key string) bool {
	if o == nil {
		return false
	}
	_, ok := o.values[key]
	return ok
}

// Set stores a value; a key that is there keeps its place.
func (o *Object) Set(key string, value any) {
	if o.values == nil {
		o.values = map[string]any{}
	}
	if _, ok := o.values[key]; !ok {
		o.keys = append(o.keys, key)
	}
	o.values[key] = value
}

// Delete removes a key; an absent one is no error.
func (o *Object) Delete(key string) {
	if !o.Has(key) {
		return
	}
	delete(o.values, key)
	for i, k := range o.keys {
		if k == key {
			o.keys = append(o.keys[:i:i], o.keys[i+1:]...)
			return
		}
	}
}

// Object returns the object under key, or an empty one.
func (o *Object) Object(key string) *Object {
	if n, ok := o.Get(key).(*Object); ok {
		return n
	}
	return New()
}

// Clone copies deeply.
func (o *Object) Clone() *Object {
	c := New()
	for _, k := range o.Keys() {
		c.Set(k, cloneValue(o.values[k]))
	}
	return c
}

func cloneValue(v any) any {
	switch v := v.(type) {
	case *Object:
		return v.Clone()
	case []any:
		c := make([]any, len(v))
		for i := range v {
			c[i] = cloneValue(v[i])
		}
		return c
	}
	return v
}

// Merge puts the values of other over those of o, object into object.
func (o *Object) Merge(other *Object) { o.merge(other, true) }

// MergeDefault takes from other only what o lacks, object into object.
func (o *Object) MergeDefault(other *Object) { o.merge(other, false) }

func (o *Object) merge(other *Object, over bool) {
	for _, k := range other.Keys() {
		mine, theirs := o.Get(k), other.values[k]
		dst, ok1 := mine.(*Object)
		src, ok2 := theirs.(*Object)
		switch {
		case ok1 && ok2:
			dst.merge(src, over)
		case over || !o.Has(k):
			o.Set(k, cloneValue(theirs))
		}
	}
}

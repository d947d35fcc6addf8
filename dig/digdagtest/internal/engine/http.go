package engine

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/outrider-run/outrider/dig/digdagtest/internal/conf"
)

// maxContent is how much of an answer http> stores.
const maxContent = 64 * 1024

// http asks an address. What may be asked twice, such as GET, is asked until
// there is an answer other than 408, 429 and 5xx.
func (j *job) http() (*conf.Object, *failure) {
	params := j.config.Clone()
	params.MergeDefault(j.config.Object("http"))
	if params.Has("proxy") {
		return nil, fail(configError("proxy: of http> is not in the double"))
	}
	method := "GET"
	if params.Has("method") {
		method = strings.ToUpper(conf.String(params.Get("method")))
	}
	retry := slices.Contains([]string{"GET", "HEAD", "OPTIONS", "TRACE"}, method)
	if params.Has("retry") {
		var err error
		if retry, err = conf.Bool(params.Get("retry")); err != nil {
			return nil, fail(configError("retry: " + err.Error()))
		}
	}
	request, f := j.httpRequest(params, method)
	if f != nil {
		return nil, f
	}
	status, content, err := j.exchange(request, params)
	what := fmt.Sprintf("%s %s - %d %s: %s", method, request.URL.Redacted(), status, statusText(status), summary(content))
	switch {
	case err != nil && retry:
		return nil, j.httpAgain()
	case err != nil:
		return nil, fail(unexpected(err.Error()))
	case status == http.StatusRequestTimeout || status == http.StatusTooManyRequests || (status >= 500 && retry):
		return nil, j.httpAgain()
	case status >= 500:
		return nil, &failure{message: "HTTP 5XX Server Error: " + what}
	case status >= 400:
		return nil, &failure{message: "HTTP 4XX Client Error: " + what}
	}
	stored := conf.Of("last_status", json.Number(strconv.Itoa(status)))
	if store, err := conf.Bool(params.Get("store_content")); err == nil && store {
		if n := utf8.RuneCountInString(content); n > maxContent {
			return nil, &failure{message: fmt.Sprintf("Response content too large: %d > %d", n, maxContent)}
		}
		stored.Set("last_content", content)
	}
	return conf.Of("store_params", conf.Of("http", stored)), nil
}

// httpAgain waits 1 s, then twice as long each time, up to 30 s.
func (j *job) httpAgain() *failure {
	s := j.stateParams.Clone()
	own := s.Object("request").Clone()
	n, _ := conf.Int(own.Get("retry")) // absent: the first time
	own.Set("retry", json.Number(strconv.Itoa(n+1)))
	s.Set("request", own)
	return again(min(time.Second<<min(n, 5), 30*time.Second), s)
}

func (j *job) httpRequest(params *conf.Object, method string) (*http.Request, *failure) {
	address, f := j.text(params, "_command")
	if f != nil {
		return nil, f
	}
	content, contentType, f := j.httpContent(params)
	if f != nil {
		return nil, f
	}
	r, err := http.NewRequest(method, address, strings.NewReader(content))
	if err != nil {
		return nil, &failure{message: err.Error(), kind: "illegal argument"}
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	headers, _ := params.Get("headers").([]any)
	for _, h := range headers {
		o, ok := h.(*conf.Object)
		if !ok || o.Len() != 1 {
			return nil, fail(configError("Invalid header: " + conf.Text(h)))
		}
		r.Header.Add(o.Keys()[0], conf.String(o.Get(o.Keys()[0])))
	}
	query := r.URL.Query()
	switch q := parsed(params.Get("query")).(type) {
	case *conf.Object:
		for _, k := range q.Keys() {
			query.Add(k, conf.String(q.Get(k)))
		}
	case string:
		more, err := url.ParseQuery(q)
		if err != nil {
			return nil, fail(configError("query: " + err.Error()))
		}
		for k, values := range more {
			query[k] = append(query[k], values...)
		}
	}
	r.URL.RawQuery = query.Encode()
	return r, nil
}

// httpContent is the body and its type: objects and lists are JSON, texts are
// plain/text, which is Digdag's word for it.
func (j *job) httpContent(params *conf.Object) (body, contentType string, f *failure) {
	content := params.Get("content")
	if content == nil {
		return "", "", nil
	}
	kind, format := "string", "text"
	object, isObject := content.(*conf.Object)
	if _, isList := content.([]any); isObject || isList {
		kind, format = "object", "json"
	}
	if params.Has("content_format") {
		format = strings.ToLower(conf.String(params.Get("content_format")))
	}
	switch {
	case format == "json":
		body, contentType = conf.Text(content), "application/json"
	case format == "text" && kind == "string":
		body, contentType = conf.String(content), "plain/text"
	case format == "form" && isObject:
		form := url.Values{}
		for _, k := range object.Keys() {
			form.Set(k, conf.String(object.Get(k)))
		}
		return form.Encode(), "application/x-www-form-urlencoded", nil
	default:
		return "", "", fail(configError(fmt.Sprintf("Invalid content_format: content_format=%s, content type=%s", format, kind)))
	}
	if params.Has("content_type") {
		contentType = conf.String(params.Get("content_type"))
	}
	return body, contentType, nil
}

func (j *job) exchange(r *http.Request, params *conf.Object) (status int, content string, err error) {
	seconds := 30
	if params.Has("timeout") {
		if seconds, err = conf.Int(params.Get("timeout")); err != nil {
			return 0, "", err
		}
	}
	ctx, cancel := context.WithTimeout(j.engine.context, time.Duration(seconds)*time.Second)
	defer cancel()
	client := &http.Client{}
	if insecure, err := conf.Bool(params.Get("insecure")); err == nil && insecure {
		client.Transport = &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	}
	if follow, err := conf.Bool(params.Get("follow_redirects")); err == nil && !follow && params.Has("follow_redirects") {
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	answer, err := client.Do(r.WithContext(ctx))
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(data), err
}

// statusText is what Digdag's HTTP library calls a status.
func statusText(status int) string {
	if status == http.StatusInternalServerError {
		return "Server Error"
	}
	return http.StatusText(status)
}

func summary(content string) string {
	if r := []rune(content); len(r) > 200 {
		return string(r[:197]) + "..."
	}
	return content
}

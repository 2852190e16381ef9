package rest

import (
	"embed"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

//go:embed web
var webFiles embed.FS

// page serves the web page and its files, and answers unknown paths as Flink does.
func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
	if name == "" {
		name = "index.html"
	}
	data, err := fs.ReadFile(webFiles, path.Join("web", name))
	if err != nil || (r.Method != http.MethodGet && r.Method != http.MethodHead) {
		s.refuse(w, r, NotFound("Unable to load requested file %s.", r.URL.Path))
		return
	}
	h := w.Header()
	h.Set("Content-Type", contentType(name))
	// The page loads nothing from elsewhere, and nobody else may frame it; YARN's proxy serves it from its own address.
	h.Set("Content-Security-Policy", "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'self'")
	h.Set("Cache-Control", "no-cache")
	if _, err := w.Write(data); err != nil {
		s.o.Log.Debug("the web page was not sent whole", "error", err)
	}
}

func contentType(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=UTF-8"
	case ".css":
		return "text/css; charset=UTF-8"
	case ".js":
		return "text/javascript; charset=UTF-8"
	case ".svg":
		return "image/svg+xml"
	}
	return "application/octet-stream"
}

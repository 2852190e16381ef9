package rest

import (
	"errors"
	"fmt"
	"net/http"
)

// Error is a refusal with the HTTP status it is answered with. Implementations of Cluster return it, wrapped or not, for
// what the caller can mend; any other error is answered with 500.
type Error struct {
	// Status is the HTTP status.
	Status int
	// Message says what is wrong and, where there is one, the way out.
	Message string
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// NotFound is for ids that name nothing.
func NotFound(format string, args ...any) error {
	return &Error{http.StatusNotFound, fmt.Sprintf(format, args...)}
}

// BadRequest is for requests that can never succeed as they are.
func BadRequest(format string, args ...any) error {
	return &Error{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// Conflict is for requests that contradict the state of their subject, such as cancelling a finished job.
func Conflict(format string, args ...any) error {
	return &Error{http.StatusConflict, fmt.Sprintf(format, args...)}
}

// Unavailable is for what may succeed later, such as while the JobManager recovers.
func Unavailable(format string, args ...any) error {
	return &Error{http.StatusServiceUnavailable, fmt.Sprintf(format, args...)}
}

// JobNotFound is the answer to an unknown job, with Flink's words.
func JobNotFound(id string) error { return NotFound("Job %s not found", id) }

// statusOf returns the HTTP status for err.
func statusOf(err error) int {
	var e *Error
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &e):
		return e.Status
	case errors.As(err, &tooLarge):
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusInternalServerError
}

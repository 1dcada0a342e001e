package sasl

import "errors"

// Condition is the name of a SASL failure on the wire, RFC 6120 section 6.5.
type Condition string

// The conditions of RFC 6120 section 6.5 that are used here. Aborted is for the caller, who sees the <abort/>.
const (
	Aborted              Condition = "aborted"
	AccountDisabled      Condition = "account-disabled"
	CredentialsExpired   Condition = "credentials-expired"
	EncryptionRequired   Condition = "encryption-required"
	IncorrectEncoding    Condition = "incorrect-encoding"
	InvalidAuthzid       Condition = "invalid-authzid"
	InvalidMechanism     Condition = "invalid-mechanism"
	MalformedRequest     Condition = "malformed-request"
	NotAuthorized        Condition = "not-authorized"
	TemporaryAuthFailure Condition = "temporary-auth-failure"
)

// Failure is why a login did not succeed. Only Condition is for the client: Cause tells more than a stranger may know; of what the client sent it holds
// at most a valid endpoint id.
type Failure struct {
	Condition Condition
	Cause     error // for logs; never nil in a Failure of this package
}

// Error returns the condition and its cause.
func (f *Failure) Error() string { return string(f.Condition) + ": " + f.Cause.Error() }

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Cause }

// Causes of failures that the client is not told apart, see errors.Is.
var (
	ErrUnknownEndpoint = errors.New("unknown endpoint")
	ErrWrongSecret     = errors.New("wrong secret")
	ErrWrongToken      = errors.New("no such token")
	ErrBinding         = errors.New("channel bindings do not match")
)

func fail(c Condition, cause string) *Failure {
	return &Failure{Condition: c, Cause: errors.New(cause)}
}

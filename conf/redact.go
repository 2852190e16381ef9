package conf

import "strings"

// hidden replaces a secret value.
const hidden = "******"

// secretParts mark a key as secret when they occur in it, in any case. They are Flink's.
var secretParts = []string{
	"password", "secret", "fs.azure.account.key", "apikey", "api-key", "auth-params", "service-key",
	"token", "basic-auth", "jaas.config", "http-headers",
}

// notSecret are keys that contain a secret part in their name and hold nothing secret.
var notSecret = []string{
	"security.delegation.token", "security.kerberos.token", "security.kerberos.fetch.delegation-token",
	"yarn.security.appmaster.delegation.token.services",
}

// IsSecret tells whether the value of key must not be shown.
func IsSecret(key string) bool {
	key = strings.ToLower(key)
	for _, n := range notSecret {
		if strings.HasPrefix(key, n) {
			return false
		}
	}
	for _, p := range secretParts {
		if strings.Contains(key, p) {
			return true
		}
	}
	return false
}

// Redact returns val, or "******" when key is secret.
func Redact(key, val string) string {
	if IsSecret(key) {
		return hidden
	}
	return val
}

// Redacted returns all values with the secret ones hidden: for logs, REST and error reports.
func (c *Config) Redacted() map[string]string {
	out := c.Map()
	for k, v := range out {
		out[k] = Redact(k, v)
	}
	return out
}

package certs

// Code is the stable name of a mistake, the same in logs, metrics, the API and the docs.
type Code string

// What can be wrong with a bundle. Fix has the advice for each.
const (
	FileMissing      Code = "file_missing"
	DirUnreadable    Code = "directory_unreadable"
	PermissionDenied Code = "permission_denied"
	Unreadable       Code = "unreadable"
	TooLarge         Code = "too_large"
	Empty            Code = "empty"
	NoPEM            Code = "no_pem"
	PFX              Code = "pfx"
	DER              Code = "der"
	CorruptBlock     Code = "corrupt_block"
	PKCS7            Code = "pkcs7"
	PublicKey        Code = "public_key"
	CSR              Code = "csr"
	EncryptedKey     Code = "encrypted_key"
	NoKey            Code = "no_key"
	SeveralKeys      Code = "several_keys"
	UnsupportedKey   Code = "unsupported_key"
	NoCertificate    Code = "no_certificate"
	NoLeaf           Code = "no_leaf"
	KeyMismatch      Code = "key_mismatch"
	CAAsLeaf         Code = "ca_as_leaf"
	SelfSigned       Code = "self_signed"
	ChainMissing     Code = "chain_missing"
	ChainBroken      Code = "chain_broken"
	NoSAN            Code = "no_san"
	NameNotCovered   Code = "name_not_covered"
	NoServerAuth     Code = "no_server_auth"
	WeakKey          Code = "weak_key"
	WeakSignature    Code = "weak_signature"
	Expired          Code = "expired"
	NotYetValid      Code = "not_yet_valid"
	RootMissing      Code = "root_missing"
	RootExpired      Code = "root_expired"
	Unused           Code = "unused"
	Repaired         Code = "repaired"
	KeyReadable      Code = "key_readable"
)

func (c Code) severity() Severity {
	switch c {
	case Expired, NotYetValid:
		return NotServing
	case RootMissing, RootExpired, Unused, Repaired, KeyReadable:
		return Warning
	}
	return Fatal
}

// Fix says what to do about a mistake, in one sentence without a full stop.
func (c Code) Fix() string {
	switch c {
	case FileMissing:
		return "put key, certificate, chain and root into one PEM file under that name"
	case DirUnreadable:
		return "make the directory and let the user that runs signalbox list it, or set certs.dir to where the bundles are"
	case PermissionDenied:
		return "let the user that runs signalbox read the file and enter its directory"
	case Unreadable:
		return "give a regular file on a file system that works"
	case TooLarge:
		return "leave only the key, the certificate, its chain and its root in the file"
	case Empty, NoPEM:
		return "write it again: cat cert.key cert.crt chain.crt root.crt > bundle.pem"
	case PFX:
		return "convert it: openssl pkcs12 -in bundle.pfx -nodes -out bundle.pem"
	case DER:
		return "convert each part to PEM first: openssl x509 -inform der -in cert.der -out cert.crt, and openssl pkey -inform der -in key.der -out cert.key"
	case CorruptBlock:
		return "copy that block again from its source, whole, as plain ASCII text"
	case PKCS7:
		return "convert it: openssl pkcs7 -print_certs -in chain.p7b -out chain.crt"
	}
	return c.fixKeyOrCertificate()
}

func (c Code) fixKeyOrCertificate() string {
	switch c {
	case PublicKey:
		return "put the private key in the place of the public one"
	case CSR:
		return "put the certificate that the CA made from the request in its place"
	case EncryptedKey:
		return "remove the passphrase: openssl pkey -in cert.key -out plain.key"
	case NoKey:
		return "add the private key that the certificate was requested with"
	case SeveralKeys:
		return "leave only the key of the certificate in the file"
	case UnsupportedKey:
		return "use an RSA (2048 bits or more), ECDSA (P-256, P-384, P-521) or Ed25519 key in PKCS#8, PKCS#1 or SEC 1 form"
	case NoCertificate, NoLeaf:
		return "add the server's own certificate, the one issued for the key"
	case KeyMismatch:
		return "use the key that this certificate was requested with, or have the certificate issued again for this key"
	case CAAsLeaf:
		return "have the CA issue a server certificate and use that one with its own key"
	case SelfSigned:
		return "use a certificate signed by a CA (signalbox certs make-ca makes one for labs), endpoints refuse a self-signed one"
	case ChainMissing:
		return "add the CA's intermediate and root certificates to the file"
	case ChainBroken:
		return "use exactly the chain and root that the CA delivered with this certificate"
	}
	return c.fixContent()
}

func (c Code) fixContent() string {
	switch c {
	case NoSAN:
		return "have it issued again with a subject alternative name, endpoints ignore the common name"
	case NameNotCovered:
		return "have it issued for that name too, or set domain to a name that it covers"
	case NoServerAuth:
		return "have it issued for server authentication (extended key usage serverAuth)"
	case WeakKey:
		return "have it issued again with RSA of 2048 bits or more, or ECDSA P-256 or better"
	case WeakSignature:
		return "have it issued again with a SHA-256 signature or better"
	case Expired:
		return "install the renewed certificate, it is taken over without a restart"
	case NotYetValid:
		return "check this machine's clock, or wait: it is tried again by itself"
	case RootMissing:
		return "add the root certificate so that the whole chain can be checked here"
	case RootExpired:
		return "ask the CA for the chain to its present root"
	case Unused:
		return "remove it from the file"
	case Repaired:
		return "nothing has to be done, it was read as it was meant"
	}
	return "take the right away from others: chmod o-r" // KeyReadable
}

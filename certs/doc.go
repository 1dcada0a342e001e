// Package certs loads, checks, chooses, watches and swaps the certificates that Signalbox shows to its endpoints.
//
// A bundle is one PEM file with a private key, the certificate for it (the leaf), the chain and the root, in any order.
// Whatever is wrong with one has a [Code], one sentence that says what it is and one that says what to do.
//
// How a chain is judged. The chain is built from the leaf upwards by issuer, subject and signature, and sent without its root.
//
//   - A root in the bundle (what both a private and a public CA's operator are told to add) must verify the whole chain.
//   - Without one, the system's roots must verify it, or at least one intermediate must stand between the leaf and the
//     unknown root: a private CA's root is installed on the endpoints and need not lie here, so that is a warning ([RootMissing]).
//   - A leaf whose issuer is neither in the bundle nor a root of the system is refused ([ChainMissing]): endpoints cannot
//     build a path, which is the usual reason for an endpoint that "is never green".
//
// Time is not a mistake of the file: an expired or not yet valid bundle loads, [Store.Serving] says no until the file or the
// clock changes, and everything else runs on.
package certs

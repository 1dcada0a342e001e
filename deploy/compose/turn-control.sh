#!/bin/sh
# Makes the certificates by which the server and a TURN server on another host know each other: by an authority that signs these two alone, whose key is thrown away.
set -eu

if [ $# != 2 ]; then
	echo "usage: $0 ADDRESS-OF-THE-TURN-HOST FOLDER" >&2
	exit 2
fi
address=$1 folder=$2
if [ -e "$folder/ca.crt" ]; then
	echo "$folder/ca.crt is there already: remove it on both hosts before you make new ones" >&2
	exit 1
fi

case $address in
*:* | [0-9]*.[0-9]*.[0-9]*.[0-9]*) name="IP:$address" ;;
*) name="DNS:$address" ;;
esac
days=3650
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >openssl.cnf <<END
[req]
distinguished_name = name
prompt = no
[name]
CN = signalbox turn control
[ca]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign
[server]
extendedKeyUsage = clientAuth, serverAuth
[turn]
extendedKeyUsage = clientAuth, serverAuth
subjectAltName = $name
END
for one in ca server turn; do
	openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out $one.key
	openssl req -new -config openssl.cnf -key $one.key -out $one.csr
done
openssl x509 -req -in ca.csr -signkey ca.key -days $days -extfile openssl.cnf -extensions ca -out ca.crt
for one in server turn; do
	openssl x509 -req -in $one.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days $days -extfile openssl.cnf -extensions $one -out $one.crt
done
cd "$OLDPWD"

mkdir -p "$folder"
install -m 644 "$work/ca.crt" "$work/server.crt" "$work/turn.crt" "$folder"
install -m 640 "$work/server.key" "$work/turn.key" "$folder"
[ "$(id -u)" != 0 ] || chown 0:65532 "$folder/server.key" "$folder/turn.key" # whose group the containers are
echo "$folder: server.crt, server.key and ca.crt are for the server; move turn.crt and turn.key to the TURN host, and copy ca.crt there"

#!/bin/sh
# DNS server on 127.0.0.1:PORT (UDP and TCP), in the foreground. Debian package: dnsmasq-base.
#
#   start-dnsmasq.sh PORT
#
# Answers only from the records below; everything else in example.test is NXDOMAIN, everything outside is REFUSED.
# Needs no file, no root and no network. Stop it with SIGTERM.
set -eu
port=${1:?usage: start-dnsmasq.sh PORT}
PATH=$PATH:/usr/sbin:/sbin

set -- --keep-in-foreground --conf-file=/dev/null --pid-file= --log-facility=/dev/null \
    --port="$port" --listen-address=127.0.0.1 --bind-interfaces \
    --no-resolv --no-poll --no-hosts --cache-size=0 --local-ttl=300 --edns-packet-max=4096 \
    --local=/example.test/ \
    --host-record=host.example.test,192.0.2.1,2001:db8::1 \
    --host-record=v4.example.test,192.0.2.4 \
    --host-record=v6.example.test,2001:db8::6 \
    --host-record=multi.example.test,192.0.2.11 \
    --host-record=multi.example.test,192.0.2.12 \
    --host-record=multi.example.test,192.0.2.13 \
    --cname=alias.example.test,host.example.test \
    --txt-record=txt.example.test,"hello world" \
    --txt-record=pair.example.test,"first string","second string" \
    --mx-host=example.test,mail.example.test,10 \
    --host-record=mail.example.test,192.0.2.25 \
    --srv-host=_sip._udp.example.test,host.example.test,5060,10,20 \
    --srv-host=_sip._udp.example.test,v4.example.test,5061,20,0 \
    --ptr-record=1.2.0.192.in-addr.arpa,host.example.test \
    --naptr-record=naptr.example.test,100,10,u,E2U+sip,'!^.*$!sip:info@example.test!'

# Enough TXT records of one name to pass 512 bytes, so that a client without EDNS0 gets a truncated answer.
long=0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789
for letter in a b c d e f g h; do
    set -- "$@" --txt-record=big.example.test,"$letter$long"
done

if [ "$(id -u)" = 0 ]; then
    set -- "$@" --user=nobody --group=nogroup
fi
exec dnsmasq "$@"

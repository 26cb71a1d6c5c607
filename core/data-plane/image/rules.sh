#!/bin/sh
# The redirect rules of one network namespace: rules.sh {install|remove|show}
#
#   outbound  OUTPUT     -> MESHDESK_OUTPUT  -> MESHDESK_REDIRECT     -> sidecar, port 15001
#   inbound   PREROUTING -> MESHDESK_INBOUND -> MESHDESK_IN_REDIRECT  -> sidecar, port 15006
#   DNS       OUTPUT     -> MESHDESK_DNS, UDP and TCP to the servers of /etc/resolv.conf  -> sidecar, port 15053
#
# Everything is in chains of our own in table nat, one iptables-restore transaction per family; installing twice gives the
# same rules as once, removing leaves all other rules as they were. Details that matter:
# - `--syn`: when the first nat rule arrives, connection tracking begins in a namespace that had none and takes packets of
#   connections that are already open for new ones. Without `--syn` those would be redirected in mid-stream and break.
# - The sidecar's own uid and gid are exempt, or its connections would come back to it.
# - All of 127.0.0.0/8 is exempt: Docker's DNS is at 127.0.0.11. Our jumps are appended, so its rules stay ahead.
# - The jump for DNS alone stands first: Docker's rules send what is for 127.0.0.11 elsewhere. Other servers than the file
#   names are not touched.
# - Questions over UDP are tracked in a zone of their own (table raw): the kernel remembers for minutes where datagrams of a
#   port went, and would send the next ones there, after the rules have come or gone. The zone is for that direction only
#   (`--zone-orig`): an answer is found whether its question was asked before, after or between two steps of ours.
# - The zone comes after the redirect and goes before it: a question that is in it is always one for the sidecar.
# - `-o lo` is exempt: an application that calls its own address goes straight to itself.
# - Removal deletes rules and chains only, never the table: connection tracking goes on, and connections that were
#   redirected before live until they end.
set -u
uid=${MESHDESK_UID:-1337}
gid=${MESHDESK_GID:-1337}
outbound=${MESHDESK_OUTBOUND_PORT:-15001}
inbound=${MESHDESK_INBOUND_PORT:-15006}
dns=${MESHDESK_DNS_PORT:-15053}
zone=${MESHDESK_DNS_ZONE:-1337}
resolv_conf=${MESHDESK_RESOLV_CONF:-/etc/resolv.conf}
chains='MESHDESK_INBOUND MESHDESK_IN_REDIRECT MESHDESK_OUTPUT MESHDESK_REDIRECT MESHDESK_DNS'
inbound_jump='PREROUTING -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j MESHDESK_INBOUND'
outbound_jump='OUTPUT -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j MESHDESK_OUTPUT'
dns_udp_jump='OUTPUT -p udp -m udp --dport 53 -j MESHDESK_DNS'
zone_jump='OUTPUT -p udp -m udp --dport 53 -j MESHDESK_DNS'
dns_tcp_jump='OUTPUT -p tcp -m tcp --dport 53 --tcp-flags FIN,SYN,RST,ACK SYN -j MESHDESK_DNS'

say() { printf 'rules: %s\n' "$*" >&2; }

# Prints the nat table of one backend; fails when the backend does not work here.
nat_of() { command -v "$1-save" >/dev/null 2>&1 && "$1-save" -t nat 2>/dev/null; }

# True when the legacy tools of a family ($2) have a table ($1) here. Asking them for one would create it: ask the kernel.
legacy_has() {
  names=/proc/net/ip_tables_names
  [ "$2" = ip6tables ] && names=/proc/net/ip6_tables_names
  [ -r "$names" ] || return 1
  while read -r table; do [ "$table" = "$1" ] && return 0; done <"$names"
  return 1
}

# Whether there may be something of ours in a table ($1) of a family ($2), for $backend.
has_table() {
  case $backend in *-legacy) legacy_has "$1" "$2" ;; esac
}

# The backend ("iptables-nft", "iptables-legacy" or "iptables") for a family ("iptables" or "ip6tables"), in $backend.
# Rules of both backends apply at the same time, so ours go where Docker's are; else to the one already in use; else nft.
choose_backend() {
  family=$1
  case $(nat_of "$family-nft") in *DOCKER_OUTPUT* | *MESHDESK_*) backend=$family-nft && return 0 ;; esac
  legacy_in_use=
  if legacy_has nat "$family"; then legacy_in_use=1; fi
  for backend in ${legacy_in_use:+"$family-legacy"} "$family-nft" "$family" "$family-legacy"; do
    command -v "$backend-restore" >/dev/null 2>&1 || continue
    printf '*nat\nCOMMIT\n' | "$backend-restore" --noflush >/dev/null 2>&1 && return 0
  done
  return 1
}

# One `-D` per jump of ours that is there now, so that the same transaction can append exactly one.
delete_jumps() {
  nat_of "$backend" | while read -r line; do
    case $line in
      '-A '*'-j MESHDESK_INBOUND' | '-A '*'-j MESHDESK_OUTPUT' | '-A '*'-j MESHDESK_DNS') printf '%s\n' "-D ${line#-A }" ;;
    esac
  done
}

# The servers of the application's resolv.conf that belong to the family of $1 (its loopback addresses), one a line.
resolvers_of() {
  [ -r "$resolv_conf" ] || return 0
  while read -r word address _ || [ -n "$word" ]; do
    [ "$word" = nameserver ] || continue
    case $1,$address in
      *[!0-9a-fA-F:./,]*) ;;
      ::1/128,*:*) printf '%s\n' "$address" ;;
      127.0.0.0/8,*[a-fA-F:]*) ;;
      127.0.0.0/8,*.*) printf '%s\n' "$address" ;;
    esac
    word=
  done <"$resolv_conf"
}

# Nothing at all where the application has no resolvers of this family.
dns_rules() {
  resolvers=$(resolvers_of "$1")
  [ -n "$resolvers" ] || return 0
  cat <<RULES
-A MESHDESK_DNS -m owner --uid-owner $uid -j RETURN
-A MESHDESK_DNS -m owner --gid-owner $gid -j RETURN
RULES
  for resolver in $resolvers; do
    cat <<RULES
-A MESHDESK_DNS -d $resolver -p udp -j REDIRECT --to-ports $dns
-A MESHDESK_DNS -d $resolver -p tcp -j REDIRECT --to-ports $dns
RULES
  done
  cat <<RULES
-I OUTPUT 1 ${dns_udp_jump#OUTPUT }
-I OUTPUT 1 ${dns_tcp_jump#OUTPUT }
RULES
}

# Tracks questions apart from everything else. Without, most of it works: a name of the mesh may stay unknown to
# a socket that has asked before.
install_zones() {
  resolvers=$(resolvers_of "$1")
  [ -n "$resolvers" ] || return 0
  {
    printf '*raw\n:MESHDESK_DNS - [0:0]\n'
    delete_zone_jumps
    cat <<RULES
-A MESHDESK_DNS -m owner --uid-owner $uid -j RETURN
-A MESHDESK_DNS -m owner --gid-owner $gid -j RETURN
RULES
    for resolver in $resolvers; do
      printf '%s\n' "-A MESHDESK_DNS -d $resolver -p udp -m udp --dport 53 -j CT --zone-orig $zone"
    done
    printf '%s\n' "-A $zone_jump"
    printf 'COMMIT\n'
  } | "$backend-restore" --noflush 2>/dev/null || say "no tracking zones here ($backend)"
}

# One `-D` per jump of ours in table raw.
delete_zone_jumps() {
  "$backend-save" -t raw 2>/dev/null | while read -r line; do
    case $line in '-A OUTPUT '*'-j MESHDESK_DNS') printf '%s\n' "-D ${line#-A }" ;; esac
  done
}

remove_zones() {
  case $("$backend-save" -t raw 2>/dev/null) in *:MESHDESK_DNS\ *) ;; *) return 0 ;; esac
  { printf '*raw\n'; delete_zone_jumps; printf '%s\n' '-F MESHDESK_DNS' '-X MESHDESK_DNS' COMMIT; } | "$backend-restore" --noflush
}

# Rules for the family whose loopback addresses are $1; with them those for DNS, unless $2 is `without-dns`.
install_rules() {
  loopback=$1
  {
    printf '*nat\n'
    for chain in $chains; do printf ':%s - [0:0]\n' "$chain"; done
    delete_jumps
    cat <<RULES
-A MESHDESK_IN_REDIRECT -p tcp -j REDIRECT --to-ports $inbound
-A MESHDESK_INBOUND -p tcp -m tcp --dport $outbound -j RETURN
-A MESHDESK_INBOUND -p tcp -m tcp --dport $inbound -j RETURN
-A MESHDESK_INBOUND -j MESHDESK_IN_REDIRECT
-A MESHDESK_REDIRECT -p tcp -j REDIRECT --to-ports $outbound
-A MESHDESK_OUTPUT -m owner --uid-owner $uid -j RETURN
-A MESHDESK_OUTPUT -m owner --gid-owner $gid -j RETURN
-A MESHDESK_OUTPUT -o lo -j RETURN
-A MESHDESK_OUTPUT -d $loopback -j RETURN
-A MESHDESK_OUTPUT -j MESHDESK_REDIRECT
-A $inbound_jump
-A $outbound_jump
RULES
    [ "${2:-}" = without-dns ] || dns_rules "$loopback"
    printf 'COMMIT\n'
  } | "$backend-restore" --noflush
}

remove_rules() {
  current=$(nat_of "$backend")
  case $current in *MESHDESK_*) ;; *) return 0 ;; esac
  {
    printf '*nat\n'
    delete_jumps
    for verb in -F -X; do
      for chain in $chains; do
        case $current in *":$chain "*) printf '%s %s\n' "$verb" "$chain" ;; esac
      done
    done
    printf 'COMMIT\n'
  } | "$backend-restore" --noflush
}

case ${1:-} in
  install)
    choose_backend iptables || {
      say "no usable iptables: the kernel has no nat table, or this container lacks NET_ADMIN"
      exit 1
    }
    if install_rules 127.0.0.0/8; then
      install_zones 127.0.0.0/8
    else
      say "rules with DNS were refused ($backend): trying without, so names of the mesh alone do not resolve"
      install_rules 127.0.0.0/8 without-dns || { say "IPv4 rules were refused ($backend)"; exit 1; }
    fi
    if [ -e /proc/net/if_inet6 ] && choose_backend ip6tables; then
      if install_rules ::1/128; then
        install_zones ::1/128
      else
        install_rules ::1/128 without-dns || say "IPv6 rules were refused ($backend): IPv6 traffic passes by the sidecar"
      fi
    else
      say "no IPv6 nat here: IPv6 traffic, if any, passes by the sidecar"
    fi
    ;;
  remove)
    status=0
    for family in iptables ip6tables; do
      for backend in "$family-nft" "$family-legacy" "$family"; do
        command -v "$backend-restore" >/dev/null 2>&1 || continue
        if has_table raw "$family"; then remove_zones || { say "tracking zones were not removed ($backend)"; status=1; }; fi
        if has_table nat "$family"; then remove_rules || { say "rules were not removed ($backend)"; status=1; }; fi
      done
    done
    exit $status
    ;;
  show)
    for family in iptables ip6tables; do
      choose_backend "$family" && nat_of "$backend" | while read -r line; do
        case $line in *MESHDESK_*) printf '%s %s\n' "$backend" "$line" ;; esac
      done
    done
    exit 0
    ;;
  *)
    say "usage: rules.sh {install|remove|show}"
    exit 2
    ;;
esac

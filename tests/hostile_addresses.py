"""Addresses that must never be called, each with what it tries; tests hold that no connection is even opened."""

from typing import NamedTuple

BASE = "https://ehr.example/fhir/R4"
METADATA = "169.254.169.254"


class Hostile(NamedTuple):
    """An address, what it tries, and where the name in it leads (each look-up in turn) if it is resolved at all."""

    trick: str
    url: str
    leads_to: tuple[tuple[str, ...], ...] = ()


WRITTEN = [
    Hostile("loopback", "http://127.0.0.1/fhir/R4/Patient/1"),
    Hostile("loopback, whole network", "http://127.255.255.254/fhir/R4/Patient/1"),
    Hostile("loopback by name", "http://localhost/fhir/R4/Patient/1"),
    Hostile("loopback by name with a dot", "http://localhost./fhir/R4/Patient/1"),
    Hostile("loopback as one number", "http://2130706433/fhir/R4/Patient/1"),
    Hostile("loopback in hexadecimal", "http://0x7f000001/fhir/R4/Patient/1"),
    Hostile("loopback in octal", "http://0177.0.0.1/fhir/R4/Patient/1"),
    Hostile("loopback with leading zeros", "http://127.000.000.001/fhir/R4/Patient/1"),
    Hostile("loopback in mixed hexadecimal", "http://0x7f.0.0.1/fhir/R4/Patient/1"),
    Hostile("loopback, short form", "http://127.1/fhir/R4/Patient/1"),
    Hostile("nowhere", "http://0.0.0.0/fhir/R4/Patient/1"),
    Hostile("zero", "http://0/fhir/R4/Patient/1"),
    Hostile("IPv6 loopback", "http://[::1]/fhir/R4/Patient/1"),
    Hostile("IPv6 loopback in full", "http://[0:0:0:0:0:0:0:1]/fhir/R4/Patient/1"),
    Hostile("IPv6 nowhere", "http://[::]/fhir/R4/Patient/1"),
    Hostile("IPv4 in IPv6", "http://[::ffff:127.0.0.1]/fhir/R4/Patient/1"),
    Hostile("IPv4 in IPv6, hexadecimal", "http://[::ffff:7f00:1]/fhir/R4/Patient/1"),
    Hostile("IPv6 with a zone", "http://[fe80::1%25eth0]/fhir/R4/Patient/1"),
    Hostile("metadata service", f"http://{METADATA}/latest/meta-data/"),
    Hostile("metadata as one number", "http://2852039166/latest/meta-data/"),
    Hostile("metadata by IPv6", "http://[fd00:ec2::254]/latest/meta-data/"),
    Hostile("private network", "https://10.0.0.1/fhir/R4/Patient/1"),
    Hostile("full-width digits", "http://\uff11\uff12\uff17.0.0.1/fhir/R4/Patient/1"),
    Hostile("enclosed letters", "http://ⓔⓗⓡ.example/fhir/R4/Patient/1"),
    Hostile("another host", "https://evil.test/fhir/R4/Patient/1"),
    Hostile("host with our base's name in front", "https://ehr.example.evil.test/fhir/R4/Patient/1"),
    Hostile("host that ends with our base's name", "https://notehr.example/fhir/R4/Patient/1"),
    Hostile("base as user name", "https://ehr.example@evil.test/fhir/R4/Patient/1"),
    Hostile("base as user name and password", "https://ehr.example:443@evil.test/fhir/R4/Patient/1"),
    Hostile("backslash for a slash", "https://ehr.example\\@evil.test/fhir/R4/Patient/1"),
    Hostile("backslash host", "https:\\\\evil.test/fhir/R4/Patient/1"),
    Hostile("fragment before the host", "https://evil.test#@ehr.example/fhir/R4/Patient/1"),
    Hostile("query before the host", "https://evil.test?@ehr.example/fhir/R4/Patient/1"),
    Hostile("fragment at the end", "https://ehr.example/fhir/R4/Patient/1#x"),
    Hostile("another port", "https://ehr.example:8443/fhir/R4/Patient/1"),
    Hostile("plain for encrypted", "http://ehr.example/fhir/R4/Patient/1"),
    Hostile("no port that exists", "https://ehr.example:99999/fhir/R4/Patient/1"),
    Hostile("above the base", "https://ehr.example/fhir/Patient/1"),
    Hostile("beside the base", "https://ehr.example/fhir/R4x/Patient/1"),
    Hostile("dots out of the base", "https://ehr.example/fhir/R4/../admin"),
    Hostile("encoded dots", "https://ehr.example/fhir/R4/%2e%2e/admin"),
    Hostile("half encoded dots", "https://ehr.example/fhir/R4/.%2e/admin"),
    Hostile("encoded slash", "https://ehr.example/fhir/R4/..%2fadmin"),
    Hostile("encoded backslash", "https://ehr.example/fhir/R4/..%5cadmin"),
    Hostile("twice encoded dots", "https://ehr.example/fhir/R4/%252e%252e/admin"),
    Hostile("one dot", "https://ehr.example/fhir/R4/./Patient/1"),
    Hostile("encoded dot", "https://ehr.example/fhir/R4/%2E/Patient/1"),
    Hostile("dots at the end", "https://ehr.example/fhir/R4/Patient/.."),
    Hostile("dots before a semicolon", "https://ehr.example/fhir/R4/..;/admin"),
    Hostile("dots before a parameter", "https://ehr.example/fhir/R4/..;x=1/admin"),
    Hostile("one dot before a semicolon", "https://ehr.example/fhir/R4/.;/Patient/1"),
    Hostile("dots before an encoded semicolon", "https://ehr.example/fhir/R4/..%3b/admin"),
    Hostile("encoded dots before a semicolon", "https://ehr.example/fhir/R4/%2e%2e;/admin"),
    Hostile("a parameter without a segment", "https://ehr.example/fhir/R4/;x=1/../admin"),
    Hostile("broken percent sign", "https://ehr.example/fhir/R4/%zz"),
    Hostile("encoded zero byte", "https://ehr.example/fhir/R4/%00"),
    Hostile("empty segment", "https://ehr.example/fhir/R4//evil.test/x"),
    Hostile("line break", "https://ehr.example/fhir/R4/\r\nHost: evil.test"),
    Hostile("tab in the host", "https://ehr\t.example/fhir/R4/Patient/1"),
    Hostile("space in front", " https://ehr.example/fhir/R4/Patient/1"),
    Hostile("file", "file:///etc/passwd"),
    Hostile("ftp", "ftp://ehr.example/fhir/R4"),
    Hostile("gopher", "gopher://127.0.0.1:6379/_FLUSHALL"),
    Hostile("no scheme", "//ehr.example/fhir/R4"),
    Hostile("scheme alone", "https://"),
    Hostile("much too long", "https://ehr.example/fhir/R4/" + "a" * 5000),
]

PATIENT = f"{BASE}/Patient/1"
RESOLVED = [
    Hostile("name leads to loopback", PATIENT, (("127.0.0.1",),)),
    Hostile("name leads to IPv6 loopback", PATIENT, (("::1",),)),
    Hostile("name leads to the metadata service", PATIENT, ((METADATA,),)),
    Hostile("name leads to a private network", PATIENT, (("10.1.2.3",),)),
    Hostile("name leads to another private network", PATIENT, (("192.168.1.1",),)),
    Hostile("name leads to a carrier's network", PATIENT, (("100.64.0.1",),)),
    Hostile("name leads nowhere", PATIENT, (("0.0.0.0",),)),
    Hostile("name leads to everybody", PATIENT, (("224.0.0.1",),)),
    Hostile("name leads to broadcast", PATIENT, (("255.255.255.255",),)),
    Hostile("name leads to a local IPv6 network", PATIENT, (("fd00::1",),)),
    Hostile("name leads to an IPv6 link", PATIENT, (("fe80::1%eth0",),)),
    Hostile("name leads to IPv4 in IPv6", PATIENT, (("::ffff:127.0.0.1",),)),
    Hostile("name leads to IPv4 by 6to4", PATIENT, (("2002:7f00:1::",),)),
    Hostile("name leads to IPv4 by NAT64", PATIENT, (("64:ff9b::7f00:1",),)),
    Hostile("name leads to IPv4 by Teredo", PATIENT, (("2001:0:1:2:0:0:80ff:fffe",),)),
    Hostile("name leads to IPv4 in the old form", PATIENT, (("::127.0.0.1",),)),
    Hostile("one of several addresses is private", PATIENT, (("93.184.216.34", "10.0.0.1"),)),
    Hostile("what the name leads to is not an address", PATIENT, (("ehr.example",),)),
    Hostile("the second answer is loopback", PATIENT, (("93.184.216.34",), ("127.0.0.1",))),
]

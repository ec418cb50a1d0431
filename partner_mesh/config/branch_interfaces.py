"""How many pods with security groups of their own a node can hold: branch network interfaces by instance type.

Source: aws/amazon-vpc-resource-controller-k8s, `pkg/aws/vpc/limits.go` (BranchInterface of types that are
IsTrunkingCompatible), generated there on 2026-03-20. Families without trunking (all of t, and those before Nitro) are
not listed: their nodes take no pod with a security group.
"""

from collections.abc import Mapping
from typing import Final

_TABLE: Final = """
a1 medium=10 large=9 xlarge=18 2xlarge=38 4xlarge=54 metal=54
c5 large=9 xlarge=18 2xlarge=38 4xlarge=54 9xlarge=54 12xlarge=54 18xlarge=107 24xlarge=107 metal=107
c5a large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=54 12xlarge=54 16xlarge=107 24xlarge=107
c5ad large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=54 12xlarge=54 16xlarge=107 24xlarge=107
c5d large=9 xlarge=18 2xlarge=38 4xlarge=54 9xlarge=54 12xlarge=54 18xlarge=107 24xlarge=107 metal=107
c5n large=9 xlarge=18 2xlarge=38 4xlarge=54 9xlarge=54 18xlarge=107 metal=107
c6a large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=84 12xlarge=114 16xlarge=107 24xlarge=107 32xlarge=107
c6a 48xlarge=107 metal=107
c6g medium=4 large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=54 12xlarge=54 16xlarge=107 metal=107
c6gd medium=4 large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=54 12xlarge=54 16xlarge=107 metal=107
c6gn medium=4 large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=54 12xlarge=54 16xlarge=107
c6i large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=84 12xlarge=114 16xlarge=107 24xlarge=107 32xlarge=107 metal=107
c6id large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=84 12xlarge=114 16xlarge=107 24xlarge=107 32xlarge=107 metal=107
c6in large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=84 12xlarge=114 16xlarge=107 24xlarge=107 32xlarge=106 metal=106
c7a medium=4 large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=84 12xlarge=114 16xlarge=107 24xlarge=107 32xlarge=107
c7a 48xlarge=107 metal-48xl=107
c7g medium=4 large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=54 12xlarge=54 16xlarge=107 metal=107
c7gd medium=4 large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=54 12xlarge=54 16xlarge=107 metal=107
c7gn medium=4 large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=54 12xlarge=54 16xlarge=107 metal=107
c7i large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=84 12xlarge=114 16xlarge=107 24xlarge=107 48xlarge=107
c7i metal-24xl=107 metal-48xl=107
c7i-flex large=3 xlarge=8 2xlarge=18 4xlarge=34 8xlarge=54 12xlarge=114 16xlarge=107
c8a medium=4 large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=82 12xlarge=110 16xlarge=106 24xlarge=106 48xlarge=98
c8a metal-24xl=106 metal-48xl=98
c8g medium=4 large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=54 12xlarge=54 16xlarge=107 24xlarge=107 48xlarge=107
c8g metal-24xl=107 metal-48xl=107
c8gb medium=4 large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=52 12xlarge=50 16xlarge=106 24xlarge=98 48xlarge=98
c8gd medium=4 large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=54 12xlarge=54 16xlarge=107 24xlarge=107 48xlarge=107
c8gd metal-24xl=107 metal-48xl=107
c8gn medium=4 large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=52 12xlarge=50 16xlarge=106 24xlarge=98 48xlarge=98
c8i large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=82 12xlarge=110 16xlarge=106 24xlarge=106 32xlarge=98 48xlarge=98
c8i 96xlarge=98 metal-48xl=98 metal-96xl=98
c8i-flex large=3 xlarge=8 2xlarge=18 4xlarge=34 8xlarge=52 12xlarge=110 16xlarge=106
c8id large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=82 12xlarge=110 16xlarge=106 24xlarge=106 32xlarge=98 48xlarge=98
c8id 96xlarge=98 metal-48xl=98 metal-96xl=98
d3 xlarge=42 2xlarge=92 4xlarge=118 8xlarge=119
d3en xlarge=24 2xlarge=58 4xlarge=118 6xlarge=118 8xlarge=118 12xlarge=119
dl1 24xlarge=62
dl2q 24xlarge=107
f2 6xlarge=84 12xlarge=114 48xlarge=107
g4ad xlarge=12 2xlarge=12 4xlarge=11 8xlarge=10 16xlarge=6
g4dn xlarge=39 2xlarge=39 4xlarge=59 8xlarge=58 12xlarge=54 16xlarge=118 metal=107
g5 xlarge=4 2xlarge=17 4xlarge=34 8xlarge=84 12xlarge=107 16xlarge=114 24xlarge=107 48xlarge=115
g5g xlarge=18 2xlarge=38 4xlarge=54 8xlarge=54 16xlarge=107 metal=107
g6 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=84 12xlarge=114 16xlarge=107 24xlarge=107 48xlarge=107
g6e xlarge=18 2xlarge=38 4xlarge=54 8xlarge=84 12xlarge=112 16xlarge=107 24xlarge=102 48xlarge=82
g6f large=10 xlarge=18 2xlarge=38 4xlarge=54
g7e 2xlarge=120 4xlarge=120 8xlarge=120 12xlarge=120 24xlarge=120 48xlarge=120
gr6 4xlarge=54 8xlarge=84
gr6f 4xlarge=54
i3 metal=120
i3en large=5 xlarge=12 2xlarge=28 3xlarge=38 6xlarge=54 12xlarge=54 24xlarge=107 metal=107
i4g large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=54 16xlarge=107
i4i xlarge=6 2xlarge=26 4xlarge=52 8xlarge=112 12xlarge=112 16xlarge=120 24xlarge=105 32xlarge=120 metal=120
i7i large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=84 12xlarge=84 16xlarge=107 24xlarge=107 48xlarge=107
i7i metal-24xl=107 metal-48xl=107
i7ie large=19 xlarge=27 2xlarge=27 3xlarge=27 6xlarge=54 12xlarge=54 18xlarge=107 24xlarge=107 48xlarge=107
i7ie metal-24xl=107 metal-48xl=107
i8g large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=54 12xlarge=54 16xlarge=107 24xlarge=107 48xlarge=107
i8g metal-24xl=107 metal-48xl=107
i8ge large=19 xlarge=27 2xlarge=27 3xlarge=25 6xlarge=52 12xlarge=50 18xlarge=106 24xlarge=106 48xlarge=98
i8ge metal-24xl=106 metal-48xl=98
im4gn large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=54 16xlarge=107
inf1 xlarge=38 2xlarge=38 6xlarge=54 24xlarge=111
inf2 xlarge=18 8xlarge=84 24xlarge=107 48xlarge=107
is4gen medium=4 large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=54
m5 large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=54 12xlarge=54 16xlarge=107 24xlarge=107 metal=120
m5a large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=54 12xlarge=54 16xlarge=107 24xlarge=107
m5ad large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=54 12xlarge=54 16xlarge=107 24xlarge=107
m5d large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=54 12xlarge=54 16xlarge=107 24xlarge=107 metal=107
m5dn large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=54 12xlarge=54 16xlarge=107 24xlarge=107 metal=107
m5n large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=54 12xlarge=54 16xlarge=107 24xlarge=107 metal=107
m5zn large=13 xlarge=29 2xlarge=62 3xlarge=92 6xlarge=114 12xlarge=107 metal=107
m6a large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=84 12xlarge=114 16xlarge=107 24xlarge=107 32xlarge=107
m6a 48xlarge=107 metal=107
m6g medium=4 large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=54 12xlarge=54 16xlarge=107 metal=107
m6gd medium=4 large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=54 12xlarge=54 16xlarge=107 metal=107
m6i large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=84 12xlarge=114 16xlarge=107 24xlarge=107 32xlarge=107 metal=107
m6id large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=84 12xlarge=114 16xlarge=107 24xlarge=107 32xlarge=107 metal=107
m6idn large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=84 12xlarge=114 16xlarge=107 24xlarge=107 32xlarge=106 metal=106
m6in large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=84 12xlarge=114 16xlarge=107 24xlarge=107 32xlarge=106 metal=106
m7a medium=4 large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=84 12xlarge=114 16xlarge=107 24xlarge=107 32xlarge=107
m7a 48xlarge=107 metal-48xl=107
m7g medium=4 large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=54 12xlarge=54 16xlarge=107 metal=107
m7gd medium=4 large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=54 12xlarge=54 16xlarge=107 metal=107
m7i large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=84 12xlarge=114 16xlarge=107 24xlarge=107 48xlarge=107
m7i metal-24xl=107 metal-48xl=107
m7i-flex large=3 xlarge=8 2xlarge=18 4xlarge=34 8xlarge=54 12xlarge=114 16xlarge=107
m8a medium=4 large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=82 12xlarge=110 16xlarge=106 24xlarge=106 48xlarge=98
m8a metal-24xl=106 metal-48xl=98
m8azn medium=3 large=8 xlarge=18 3xlarge=34 6xlarge=54 12xlarge=106 24xlarge=106 metal-12xl=106 metal-24xl=106
m8g medium=4 large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=54 12xlarge=54 16xlarge=107 24xlarge=107 48xlarge=107
m8g metal-24xl=107 metal-48xl=107
m8gb medium=4 large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=52 12xlarge=50 16xlarge=106 24xlarge=98 48xlarge=98
m8gd medium=4 large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=54 12xlarge=54 16xlarge=107 24xlarge=107 48xlarge=107
m8gd metal-24xl=107 metal-48xl=107
m8gn medium=4 large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=52 12xlarge=50 16xlarge=106 24xlarge=98 48xlarge=98
m8i large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=82 12xlarge=110 16xlarge=106 24xlarge=106 32xlarge=98 48xlarge=98
m8i 96xlarge=98 metal-48xl=98 metal-96xl=98
m8i-flex large=3 xlarge=8 2xlarge=18 4xlarge=34 8xlarge=52 12xlarge=110 16xlarge=106
m8id large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=82 12xlarge=110 16xlarge=106 24xlarge=106 32xlarge=98 48xlarge=98
m8id 96xlarge=98 metal-48xl=98 metal-96xl=98
mac-m4 metal=6
mac-m4max metal=6
mac-m4pro metal=6
mac1 metal=6
mac2 metal=6
mac2-m1ultra metal=6
mac2-m2 metal=6
mac2-m2pro metal=6
p3dn 24xlarge=107
p4d 24xlarge=62
p4de 24xlarge=62
p5 4xlarge=58 48xlarge=120
p5e 48xlarge=120
p5en 48xlarge=120
p6-b200 48xlarge=120
p6-b300 48xlarge=120
r5 large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=54 12xlarge=54 16xlarge=107 24xlarge=107 metal=120
r5a large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=54 12xlarge=54 16xlarge=107 24xlarge=107
r5ad large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=54 12xlarge=54 16xlarge=107 24xlarge=107
r5b large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=54 12xlarge=54 16xlarge=107 24xlarge=107 metal=107
r5d large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=54 12xlarge=54 16xlarge=107 24xlarge=107 metal=107
r5dn large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=54 12xlarge=54 16xlarge=107 24xlarge=107 metal=107
r5n large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=54 12xlarge=54 16xlarge=107 24xlarge=107 metal=107
r6a large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=84 12xlarge=114 16xlarge=107 24xlarge=107 32xlarge=107
r6a 48xlarge=107 metal=107
r6g medium=4 large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=54 12xlarge=54 16xlarge=107 metal=107
r6gd medium=4 large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=54 12xlarge=54 16xlarge=107 metal=107
r6i large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=84 12xlarge=114 16xlarge=107 24xlarge=107 32xlarge=107 metal=107
r6id large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=84 12xlarge=114 16xlarge=107 24xlarge=107 32xlarge=107 metal=107
r6idn large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=84 12xlarge=114 16xlarge=107 24xlarge=107 32xlarge=106 metal=106
r6in large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=84 12xlarge=114 16xlarge=107 24xlarge=107 32xlarge=106 metal=106
r7a medium=4 large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=84 12xlarge=114 16xlarge=107 24xlarge=107 32xlarge=107
r7a 48xlarge=107 metal-48xl=107
r7g medium=4 large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=54 12xlarge=54 16xlarge=107 metal=107
r7gd medium=4 large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=54 12xlarge=54 16xlarge=107 metal=107
r7i large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=84 12xlarge=114 16xlarge=107 24xlarge=107 48xlarge=107
r7i metal-24xl=107 metal-48xl=107
r7iz large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=84 12xlarge=114 16xlarge=107 32xlarge=107 metal-16xl=107
r7iz metal-32xl=107
r8a medium=4 large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=82 12xlarge=110 16xlarge=106 24xlarge=106 48xlarge=98
r8a metal-24xl=106 metal-48xl=98
r8g medium=4 large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=54 12xlarge=54 16xlarge=107 24xlarge=107 48xlarge=107
r8g metal-24xl=107 metal-48xl=107
r8gb medium=4 large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=52 12xlarge=50 16xlarge=106 24xlarge=98 48xlarge=98
r8gd medium=4 large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=54 12xlarge=54 16xlarge=107 24xlarge=107 48xlarge=107
r8gd metal-24xl=107 metal-48xl=107
r8gn medium=4 large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=52 12xlarge=50 16xlarge=106 24xlarge=98 48xlarge=98
r8i large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=82 12xlarge=110 16xlarge=106 24xlarge=106 32xlarge=98 48xlarge=98
r8i 96xlarge=98 metal-48xl=98 metal-96xl=98
r8i-flex large=3 xlarge=8 2xlarge=18 4xlarge=34 8xlarge=52 12xlarge=110 16xlarge=106
r8id large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=82 12xlarge=110 16xlarge=106 24xlarge=106 32xlarge=98 48xlarge=98
r8id 96xlarge=98 metal-48xl=98 metal-96xl=98
trn1 2xlarge=17 32xlarge=82
trn1n 32xlarge=120
u-3tb1 56xlarge=6
u7i-12tb 224xlarge=107
u7i-6tb 112xlarge=107
u7i-8tb 112xlarge=107
u7in-16tb 224xlarge=106
u7in-24tb 224xlarge=106
u7in-32tb 224xlarge=106
vt1 3xlarge=38 6xlarge=54 24xlarge=107
x2gd medium=10 large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=54 12xlarge=54 16xlarge=107 metal=107
x2idn 16xlarge=107 24xlarge=107 32xlarge=107 metal=107
x2iedn xlarge=11 2xlarge=27 4xlarge=54 8xlarge=114 16xlarge=107 24xlarge=107 32xlarge=107 metal=107
x2iezn 2xlarge=62 4xlarge=114 6xlarge=114 8xlarge=114 12xlarge=107 metal=107
x8aedz large=8 xlarge=18 3xlarge=34 6xlarge=54 12xlarge=106 24xlarge=106 metal-12xl=106 metal-24xl=106
x8g medium=4 large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=54 12xlarge=54 16xlarge=107 24xlarge=107 48xlarge=107
x8g metal-24xl=107 metal-48xl=107
x8i large=9 xlarge=18 2xlarge=38 4xlarge=54 8xlarge=82 12xlarge=110 16xlarge=106 24xlarge=106 32xlarge=98 48xlarge=98
x8i 64xlarge=98 96xlarge=98 metal-48xl=98 metal-96xl=98
z1d large=13 xlarge=28 2xlarge=58 3xlarge=54 6xlarge=54 12xlarge=107 metal=107
"""


def _read(table: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for line in table.strip().splitlines():
        family, *sizes = line.split()
        for size in sizes:
            name, _, count = size.partition("=")
            found[f"{family}.{name}"] = int(count)
    return found


BRANCH_INTERFACES: Final[Mapping[str, int]] = _read(_TABLE)
"""Instance type → branch interfaces."""

"""Configuration → arguments of AWS resources, as typed plain data: no Pulumi, no network, late values left out."""

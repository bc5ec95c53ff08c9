// A self-signed certificate for "localhost" and 127.0.0.1 with its key, for tests that can make none: they use kith from
// outside.
#pragma once

namespace kith::test {

inline constexpr char kWebCertificatePem[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBnDCCAUGgAwIBAgIUMiJdAT9uPFsRZTS66hji4xYxlsAwCgYIKoZIzj0EAwIw\n"
    "FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyNzAwMjQ0MFoYDzIxMjYxMTAz\n"
    "MDAyNDQwWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO\n"
    "PQMBBwNCAATgxo9yFTDx304s/YjDsW4+su7bjzFlfJadDzeVDE2hOe9TNMOOz3oG\n"
    "aZFYUIUUb1pyPguUKnm1dnDSELz5Ba08o28wbTAdBgNVHQ4EFgQUbBAD2a4XiAdy\n"
    "6u8lggfQeOFMBGAwHwYDVR0jBBgwFoAUbBAD2a4XiAdy6u8lggfQeOFMBGAwDwYD\n"
    "VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI\n"
    "zj0EAwIDSQAwRgIhAOVVGW15IKw/8lO6s11JBGOYiJF20dV4PbRdBoTvxOQ9AiEA\n"
    "xOye8PFq3sDVQGYX5pamkFNUqMek+pqg4UFkprn06xU=\n"
    "-----END CERTIFICATE-----\n";
inline constexpr char kWebKeyPem[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgECskRRttaTVtlWMR\n"
    "IIjdHBR4Z8z5cm2zuVB0ElqqDSehRANCAATgxo9yFTDx304s/YjDsW4+su7bjzFl\n"
    "fJadDzeVDE2hOe9TNMOOz3oGaZFYUIUUb1pyPguUKnm1dnDSELz5Ba08\n"
    "-----END PRIVATE KEY-----\n";

}  // namespace kith::test

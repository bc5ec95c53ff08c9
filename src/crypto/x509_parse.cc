// Reading certificates: a walk along RFC 5280's structure with the DER reader.
#include <algorithm>
#include <charconv>
#include <optional>

#include "base/limits.h"
#include "crypto/der.h"
#include "crypto/x509.h"

namespace kith::crypto {

namespace {

Error bad(std::string what) {
  return Error(KITH_ERR_BAD_CERTIFICATE, "certificate", std::move(what));
}

// Days from 1970-01-01 to a date of the Gregorian calendar (Howard Hinnant, "chrono-Compatible
// Low-Level Date Algorithms").
int64_t days_from_civil(int64_t year, int64_t month, int64_t day) {
  year -= month <= 2;
  const int64_t era = (year >= 0 ? year : year - 399) / 400;
  const int64_t year_of_era = year - era * 400;
  const int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  const int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + day_of_era - 719468;
}

int64_t days_of_month(int64_t year, int64_t month) {
  if (month == 2) return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28;
  return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

// The time in `text`: a year of `year_digits`, then MMDDhhmmss and Z, as DER demands.
std::optional<int64_t> parse_time(std::string_view text, size_t year_digits) {
  if (text.size() != year_digits + 11 || text.back() != 'Z') return std::nullopt;
  if (!std::all_of(text.begin(), text.end() - 1, [](char c) { return c >= '0' && c <= '9'; })) {
    return std::nullopt;
  }
  const auto number = [&](size_t at, size_t digits) {
    int64_t value = 0;
    for (char c : text.substr(at, digits)) value = value * 10 + (c - '0');
    return value;
  };
  int64_t year = number(0, year_digits);
  if (year_digits == 2) year += year >= 50 ? 1900 : 2000;  // RFC 5280, section 4.1.2.5.1
  const int64_t month = number(year_digits, 2);
  const int64_t day = number(year_digits + 2, 2);
  const int64_t hour = number(year_digits + 4, 2);
  const int64_t minute = number(year_digits + 6, 2);
  const int64_t second = number(year_digits + 8, 2);
  if (month < 1 || month > 12 || day < 1 || day > days_of_month(year, month) || hour > 23 ||
      minute > 59 || second > 59) {
    return std::nullopt;
  }
  return days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
}

bool read_time(DerReader& reader, int64_t* unix_s) {
  Bytes text;
  std::optional<int64_t> time;
  if (reader.next_is(der::kUtcTime)) {
    if (!reader.read(der::kUtcTime, &text)) return false;
    time = parse_time(as_text(text), 2);
  } else {
    if (!reader.read(der::kGeneralizedTime, &text)) return false;
    time = parse_time(as_text(text), 4);
  }
  if (time) *unix_s = *time;
  return time.has_value();
}

Result<CertificateExtension> parse_extension(Bytes content) {
  CertificateExtension extension;
  DerReader fields(content);
  if (!fields.read(der::kOid, &extension.oid) || extension.oid.empty()) {
    return bad("an extension has no object identifier");
  }
  if (fields.next_is(der::kBoolean)) {
    Bytes value;
    // DER leaves out a default, so only TRUE can stand here.
    if (!fields.read(der::kBoolean, &value) || value.size() != 1 || value[0] != 0xff) {
      return bad("the critical flag of extension " + oid_text(extension.oid) + " is not DER");
    }
    extension.critical = true;
  }
  if (!fields.read(der::kOctetString, &extension.value) || !fields.empty()) {
    return bad("extension " + oid_text(extension.oid) + " is malformed");
  }
  return extension;
}

Status parse_extensions(Bytes tagged, std::vector<CertificateExtension>* out) {
  DerReader outer(tagged);
  Bytes sequence, content;
  if (!outer.read(der::kSequence, &sequence) || !outer.empty() || sequence.empty()) {
    return bad("the list of extensions is malformed");
  }
  for (DerReader list(sequence); !list.empty();) {
    if (!list.read(der::kSequence, &content)) return bad("the list of extensions is malformed");
    if (out->size() == limits::kCertificateExtensions) return bad("there are too many extensions");
    KITH_ASSIGN(CertificateExtension extension, parse_extension(content));
    for (const CertificateExtension& other : *out) {
      if (equal(other.oid, extension.oid)) {
        return bad("extension " + oid_text(extension.oid) + " occurs twice");
      }
    }
    out->push_back(extension);
  }
  return {};
}

// TBSCertificate ::= SEQUENCE { [0] version, serialNumber, signature, issuer, validity, subject,
//                               subjectPublicKeyInfo, [1] issuerUniqueID, [2] subjectUniqueID,
//                               [3] extensions }
Status parse_to_be_signed(Bytes content, Certificate* out) {
  DerReader fields(content);
  Bytes tagged, version, serial, ignored, algorithm, validity;
  if (!fields.read(der::context(0), &tagged)) return bad("not of version 3");
  DerReader in_version(tagged);
  if (!in_version.read_unsigned(&version) || !in_version.empty() || version.size() != 1 ||
      version[0] != 2) {
    return bad("not of version 3");
  }
  if (!fields.read_unsigned(&serial)) return bad("the serial number is malformed");
  if (!fields.read(der::kSequence, &ignored, &algorithm) ||
      !equal(algorithm, out->signature_algorithm)) {
    return bad("the two signature algorithms differ");
  }
  if (!fields.read(der::kSequence, &ignored)) return bad("the issuer is malformed");
  if (!fields.read(der::kSequence, &validity)) return bad("the validity is malformed");
  DerReader times(validity);
  if (!read_time(times, &out->not_before_unix_s) || !read_time(times, &out->not_after_unix_s) ||
      !times.empty()) {
    return bad("the validity has a malformed time");
  }
  if (!fields.read(der::kSequence, &ignored)) return bad("the subject is malformed");
  if (!fields.read(der::kSequence, &ignored, &out->subject_public_key_info)) {
    return bad("the public key is malformed");
  }
  for (uint8_t n : {uint8_t{1}, uint8_t{2}}) {
    if (fields.next_is(der::context_primitive(n))) return bad("it has a unique identifier");
  }
  if (fields.empty()) return {};
  if (!fields.read(der::context(3), &tagged) || !fields.empty()) {
    return bad("the list of extensions is malformed");
  }
  return parse_extensions(tagged, &out->extensions);
}

}  // namespace

Result<Certificate> parse_certificate(Bytes der) {
  Certificate out;
  DerReader outer(der);
  Bytes sequence, to_be_signed, ignored;
  if (!outer.read(der::kSequence, &sequence)) return bad("not a DER certificate");
  if (!outer.empty()) return bad("there are bytes after the certificate");
  DerReader fields(sequence);
  if (!fields.read(der::kSequence, &to_be_signed, &out.to_be_signed) ||
      !fields.read(der::kSequence, &ignored, &out.signature_algorithm) ||
      !fields.read_bit_string(&out.signature) || !fields.empty()) {
    return bad("not a DER certificate");
  }
  KITH_TRY(parse_to_be_signed(to_be_signed, &out));
  return out;
}

std::string oid_text(Bytes oid) {
  std::string out;
  uint64_t value = 0;
  bool inside = false;
  for (uint8_t byte : oid) {
    if ((!inside && byte == 0x80) || value >> 57) return to_hex(oid);  // not minimal, or too large
    value = value << 7 | (byte & 0x7f);
    inside = byte >= 0x80;
    if (inside) continue;
    if (out.empty()) {
      const uint64_t first = std::min<uint64_t>(value / 40, 2);
      out = std::to_string(first) + "." + std::to_string(value - first * 40);
    } else {
      out += "." + std::to_string(value);
    }
    value = 0;
  }
  return inside ? to_hex(oid) : out;
}

}  // namespace kith::crypto

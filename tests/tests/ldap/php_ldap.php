<?php
// A program in PHP that signs people in, and one that reads. Standard input: settings and sign-ins as JSON. Standard
// output: whether each sign-in was accepted.

set_error_handler(function ($level, $message, $file, $line) {
    // What is prefixed with @ may fail.
    if (error_reporting() & $level) {
        throw new ErrorException($message, 0, $level, $file, $line);
    }
});

$given = json_decode(stream_get_contents(STDIN), true, 512, JSON_THROW_ON_ERROR);
$base = $given['base'];

function expect(bool $is, string $what): void
{
    if (!$is) {
        throw new RuntimeException("expected: $what");
    }
}

function connect(): LDAP\Connection
{
    global $given;
    ldap_set_option(null, LDAP_OPT_X_TLS_CACERTFILE, $given['ca']);
    $link = ldap_connect($given['url']);
    ldap_set_option($link, LDAP_OPT_PROTOCOL_VERSION, 3);
    ldap_set_option($link, LDAP_OPT_REFERRALS, 0);
    if (str_starts_with($given['url'], 'ldap://')) {
        ldap_start_tls($link);
    }
    return $link;
}

function application(): LDAP\Connection
{
    global $given;
    $link = connect();
    ldap_bind($link, $given['name'], file_get_contents($given['secret']));
    return $link;
}

function sign_in(string $name, string $password): bool
{
    global $base;
    $link = application();
    $filter = '(uid=' . ldap_escape($name, '', LDAP_ESCAPE_FILTER) . ')';
    $entry = ldap_first_entry($link, ldap_search($link, $base, $filter, ['cn']));
    if ($entry === false) {
        return false;
    }
    $dn = ldap_get_dn($link, $entry);
    $accepted = @ldap_bind($link, $dn, $password);
    expect(in_array(ldap_errno($link), $accepted ? [0] : [49, 53], true), '0, 49 or 53: ' . ldap_error($link));
    expect(ldap_exop_whoami($link) === ($accepted ? "dn:$dn" : ''), 'Who am I');
    ldap_unbind($link);
    return $accepted;
}

/** The names on all pages. */
function pages(LDAP\Connection $link, string $filter, int $size): array
{
    global $base;
    [$names, $cookie] = [[], ''];
    do {
        $control = ['oid' => LDAP_CONTROL_PAGEDRESULTS, 'iscritical' => true, 'value' => ['size' => $size, 'cookie' => $cookie]];
        $found = ldap_search($link, $base, $filter, ['uid'], 0, 0, 0, LDAP_DEREF_NEVER, [$control]);
        ldap_parse_result($link, $found, $code, $matched, $words, $referrals, $controls);
        expect($code === 0 && ldap_count_entries($link, $found) <= $size, "a page of $size: $words");
        for ($entry = ldap_first_entry($link, $found); $entry; $entry = ldap_next_entry($link, $entry)) {
            $names[] = ldap_get_dn($link, $entry);
        }
        $cookie = $controls[LDAP_CONTROL_PAGEDRESULTS]['value']['cookie'];
    } while ($cookie !== '');
    sort($names);
    return $names;
}

function reading(): void
{
    global $given, $base;
    $link = application();
    // 1. Pages. Nextcloud reads with pages of one entry.
    $people = '(objectClass=inetOrgPerson)';
    $whole = pages($link, $people, 1000);
    expect(count($whole) >= $given['people'], 'everybody');
    foreach ([1, 50] as $size) {
        expect(pages($link, $people, $size) === $whole, "pages of $size");
    }
    // 2. Entries, and octets in filters.
    $staff = "cn=Staff,ou=groups,$base";
    $group = ldap_get_entries($link, ldap_read($link, $staff, '(objectClass=*)', ['member', 'objectGUID']))[0];
    $octets = $group['objectguid'][0];
    expect(strlen($octets) === 16, 'an objectGUID');
    $filter = '(objectGUID=' . ldap_escape($octets, '', LDAP_ESCAPE_FILTER) . ')';
    expect(ldap_get_entries($link, ldap_search($link, $base, $filter))[0]['dn'] === $staff, $filter);
    // 3. Compare: true, false, and -1 where the entry has no such attribute.
    $member = $group['member'][0];
    expect(ldap_compare($link, $staff, 'member', strtoupper($member)) === true, 'a member');
    expect(ldap_compare($link, $staff, 'member', "uid=nobody,ou=people,$base") === false, 'no member');
    expect(@ldap_compare($link, $staff, 'mail', 'x') === -1 && ldap_errno($link) === 16, 'no such attribute');
    // 4. A change is refused.
    expect(@ldap_mod_replace($link, $staff, ['description' => 'x']) === false && ldap_errno($link) === 53, 'read only');
    ldap_unbind($link);
}

if (isset($given['people'])) {
    reading();
}
echo json_encode(array_map(fn ($pair) => sign_in(...$pair), $given['sign_ins']));

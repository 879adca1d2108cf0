import type { Attack, AttackGroup } from '../support/attack.ts';
import { speakRaw, summaryOf } from '../support/speak.ts';
import type { Stage } from '../support/stage.ts';

/** What follows a request on the connection: were it read, it would be answered. */
const smuggled = (stage: Stage): string =>
  `GET /rest/v1/secrets HTTP/1.1\r\nHost: ${stage.victim}.localhost\r\napikey: ${stage.keys(stage.attacker).secret}\r\n\r\n`;

/** Bytes with `@host` for the attacker's host; the answers of all requests that the gateway took them for. */
function raw(name: string, tried: string, bytes: string, back: string, isFollowed = false): Attack {
  return {
    name,
    tried,
    back,
    run: async (stage) => {
      const { secret } = stage.keys(stage.attacker);
      const text = bytes
        .replaceAll('@victim', `${stage.victim}.localhost`)
        .replaceAll('@host', `${stage.attacker}.localhost\r\napikey: ${secret}`);
      const following = isFollowed ? smuggled(stage) : '';
      const answers = await speakRaw(stage.port, text + following, 3);
      const summaries = answers.map(({ status, body }) => summaryOf({ status, text: body }));
      return { back: summaries.join(', '), received: answers.map(({ body }) => body).join('') };
    },
  };
}

const post = (...lines: string[]): string =>
  `POST /rest/v1/rpc/run HTTP/1.1\r\nHost: @host\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`;
const smuggle = (name: string, tried: string, bytes: string): Attack =>
  raw(name, tried, bytes, '400 GW108', true);

export const SMUGGLING: AttackGroup = {
  title: 'Requests that two servers read in two ways',
  attacks: [
    smuggle(
      'cl-te',
      '`Content-Length` and `Transfer-Encoding`',
      `${post('Content-Length: 5', 'Transfer-Encoding: chunked')}0\r\n\r\n`,
    ),
    smuggle(
      'te-cl',
      'the same the other way round',
      `${post('Transfer-Encoding: chunked', 'Content-Length: 5')}0\r\n\r\n`,
    ),
    smuggle('two-lengths', 'two different lengths', post('Content-Length: 0', 'Content-Length: 80')),
    smuggle('length-list', '`Content-Length: 0, 80`', post('Content-Length: 0, 80')),
    smuggle('length-sign', '`Content-Length: +0`', post('Content-Length: +0')),
    smuggle('length-negative', '`Content-Length: -1`', post('Content-Length: -1')),
    smuggle('unknown-coding', '`Transfer-Encoding: xchunked`', post('Transfer-Encoding: xchunked')),
    smuggle(
      'chunked-identity',
      '`Transfer-Encoding: chunked, identity`',
      post('Transfer-Encoding: chunked, identity'),
    ),
    smuggle('folded', 'a folded header', post('Transfer-Encoding:', ' chunked')),
    smuggle('space-colon', 'a space before the colon', post('Transfer-Encoding : chunked')),
    smuggle(
      'bad-chunk',
      'a chunk whose size is no number',
      `${post('Transfer-Encoding: chunked')}zz\r\n\r\n`,
    ),
    smuggle(
      'long-chunk',
      'a chunk longer than its size',
      `${post('Transfer-Encoding: chunked')}1\r\nabc\r\n0\r\n\r\n`,
    ),
    smuggle('bare-lf', 'lines that end with LF alone', 'POST /rest/v1/rpc/run HTTP/1.1\nHost: x\n\n'),
    smuggle('bare-cr', 'a bare CR in a value', post('X: a\rTransfer-Encoding: chunked')),
    smuggle('nul', 'a NUL in a value', post('X: a\0b')),
    smuggle('version', '`HTTP/9.9`', 'GET /rest/v1/own HTTP/9.9\r\nHost: @host\r\n\r\n'),
  ],
};

const get = (target: string, ...lines: string[]): string =>
  `GET ${target} HTTP/1.1\r\n${lines.map((line) => `${line}\r\n`).join('')}Connection: close\r\n\r\n`;
const own = '/rest/v1/own?select=text';

/** The key is always the attacker's: on the victim's host it is refused, on its own it reads its own table. */
export const HOSTS: AttackGroup = {
  title: 'Hosts',
  attacks: [
    raw(
      'two-hosts',
      'two `Host` headers, its own first',
      get(own, 'Host: @host', 'Host: @victim'),
      '400 GW108',
    ),
    raw('two-hosts-reversed', 'the victim’s first', get(own, 'Host: @victim', 'Host: @host'), '400 GW108'),
    raw('two-same-hosts', 'the same host twice', get(own, 'Host: @host', 'Host: @host'), '400 GW108'),
    raw(
      'absolute',
      'an absolute target for the victim, and its own `Host`: the target’s host counts',
      get(`http://@victim${own}`, 'Host: @host'),
      '401 GW105',
    ),
    raw(
      'absolute-user',
      'an absolute target with the victim’s host as user name',
      get(`http://@victim@nobody.localhost${own}`, 'Host: @host'),
      '404 GW101',
    ),
    raw(
      'forwarded-host',
      '`X-Forwarded-Host` from anybody',
      get(own, 'Host: @host', 'X-Forwarded-Host: @victim'),
      '200',
    ),
    raw('forwarded', '`Forwarded: host=`', get(own, 'Host: @host', 'Forwarded: host=@victim'), '200'),
    raw(
      'x-host',
      '`X-Host`, `X-Forwarded-Server`, `X-Original-Host`',
      get(own, 'Host: @host', 'X-Host: @victim', 'X-Forwarded-Server: @victim', 'X-Original-Host: @victim'),
      '200',
    ),
    raw(
      'original-url',
      '`X-Original-URL`, `X-Rewrite-URL`',
      get(own, 'Host: @host', 'X-Original-URL: /rest/v1/nosuch', 'X-Rewrite-URL: /rest/v1/nosuch'),
      '200',
    ),
    raw('no-host', 'no host at all', get(own), '400 GW108'),
    raw('host-path', 'a host with a path', get(own, 'Host: @victim/x'), '400 GW108'),
    raw('host-null', 'a host with a colon and text', get(own, 'Host: @victim:80x'), '400 GW108'),
    raw(
      'dot-segments',
      'a path with dot segments out of the endpoint',
      get('/rest/v1/../../metrics/../rest/v1/nosuch', 'Host: @host'),
      '404 PGRST205',
    ),
    raw(
      'encoded-segments',
      'the same, percent-encoded',
      get('/rest/v1/%2e%2e/%2e%2e/etc/passwd', 'Host: @host'),
      '404 GW107',
    ),
    raw(
      'profile',
      '`Accept-Profile` of the victim’s schema',
      get(own, 'Host: @host', 'Accept-Profile: b'),
      '406 PGRST106',
    ),
    raw(
      'gzip',
      'a compressed body (`Content-Encoding: gzip`)',
      `${post('Content-Length: 4', 'Content-Encoding: gzip', 'Connection: close')}abcd`,
      '415 GW307',
    ),
    raw(
      'expect',
      '`Expect: 100-continue` with a body that is too large',
      post('Content-Length: 99999999999', 'Expect: 100-continue', 'Connection: close'),
      '413 GW302',
    ),
    raw(
      'huge-header',
      '200 kB of headers',
      get(own, 'Host: @host', `X: ${'x'.repeat(200_000)}`),
      '431 GW303',
    ),
  ],
};

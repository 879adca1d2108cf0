import { expect, test } from 'vitest';
import { problemOfContainer } from '../../../engine-proxy/container-rules.ts';
import { classifyCall } from '../../../engine-proxy/engine-calls.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;

test.each([
  ['GET', '/version', 'allowed'],
  ['GET', `/images/localhost:5000/x@${DIGEST}/json`, 'allowed'],
  ['GET', '/v1.41/containers/json?all=1', 'allowed'],
  ['GET', '/containers/db/json', 'look'],
  ['HEAD', '/containers/db/archive?path=%2Flib', 'own'],
  ['GET', '/containers/db/archive?path=/etc', 'own'],
  ['PUT', '/containers/db/archive?path=/', 'own'],
  ['DELETE', '/containers/db?force=true', 'own'],
  ['POST', '/containers/create', 'create'],
  ['POST', `/images/create?fromImage=localhost%3A5000%2Fx&tag=${DIGEST}`, 'allowed'],
  ['POST', '/images/create?fromImage=x&tag=latest', 'refused'],
  ['POST', '/images/create?fromSrc=http://evil', 'refused'],
  ['POST', '/images/create', 'refused'],
  ['POST', '/containers/db/exec', 'refused'],
  ['POST', '/containers/db/update', 'refused'],
  ['POST', '/exec/1/start', 'refused'],
  ['DELETE', '/images/x', 'refused'],
  ['GET', '/containers/db/../../info', 'refused'],
  ['GET', '/containers/%64b/json', 'refused'],
  ['GET', '//info', 'refused'],
  ['GET', '/containers/a%2Fb/json', 'refused'],
  ['CONNECT', '/version', 'refused'],
])('%s %s is %s', (method, target, kind) => {
  expect(classifyCall(method, target).kind).toBe(kind);
});

const CORE = { image: 'sha256:core', volume: 'extension_payloads' };

const aContainer = {
  Image: CORE.image,
  Labels: { 'io.cascata.edge.job': 'j', 'io.cascata.edge.purpose': 'stage' },
  Entrypoint: ['/bin/sh', '-c'],
  Cmd: ['exit 0'],
  User: '0:0',
  Env: [],
  NetworkDisabled: true,
  HostConfig: {
    NetworkMode: 'none',
    CapDrop: ['ALL'],
    CapAdd: ['CHOWN'],
    SecurityOpt: ['no-new-privileges'],
    PidsLimit: 200,
    Memory: 1_000_000,
    Init: true,
    Tmpfs: {},
    Mounts: [
      {
        Type: 'volume',
        Source: CORE.volume,
        Target: '/cascata_extensions',
        ReadOnly: false,
        VolumeOptions: { NoCopy: true, Labels: {}, DriverConfig: { Name: 'local', Options: {} } },
      },
    ],
  },
};
const host = (changes: object) => ({ ...aContainer, HostConfig: { ...aContainer.HostConfig, ...changes } });
const mount = (changes: object) => host({ Mounts: [{ ...aContainer.HostConfig.Mounts[0], ...changes }] });

test('a container as the worker makes it may be made', () => {
  expect(problemOfContainer(aContainer, CORE)).toBeUndefined();
  expect(problemOfContainer({ ...host({ Mounts: [] }), Image: 'any' }, CORE)).toBeUndefined();
});

test.each([
  ['privileged', host({ Privileged: true })],
  ['with a folder of the host', host({ Binds: ['/:/host'] })],
  ['with a mount of the host', mount({ Type: 'bind', Source: '/' })],
  ['with another volume', mount({ Source: 'db-data' })],
  ['with the volume somewhere else', mount({ Target: '/etc' })],
  ['that would fill the volume', mount({ VolumeOptions: { NoCopy: false } })],
  [
    'with a driver that mounts the host',
    mount({
      VolumeOptions: { NoCopy: true, Labels: {}, DriverConfig: { Name: 'local', Options: { device: '/' } } },
    }),
  ],
  ['with the volume and another image', { ...aContainer, Image: 'evil' }],
  ['with a network', host({ NetworkMode: 'host' })],
  ['with capabilities', host({ CapAdd: ['SYS_ADMIN'] })],
  ['that keeps capabilities', host({ CapDrop: [] })],
  ['with the processes of the host', host({ PidMode: 'host' })],
  ['with a device', host({ Devices: [{ PathOnHost: '/dev/sda' }] })],
  ['without a limit', host({ Memory: 0 })],
  ['without a job', { ...aContainer, Labels: {} }],
  ['that is nothing', undefined],
])('a container %s may not', (_, body) => {
  expect(problemOfContainer(body, CORE)).toEqual(expect.any(String));
});

// Exit status 0 when the URL answers 200 within two seconds: the base image has neither curl nor wget.
fetch(process.argv[2], { signal: AbortSignal.timeout(2000) }).then(
  (response) => {
    process.exitCode = response.status === 200 ? 0 : 1;
  },
  () => {
    process.exitCode = 1;
  },
);

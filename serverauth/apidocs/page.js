"use strict";

async function show(place) {
  const reply = await fetch("openapi.json");
  if (!reply.ok) {
    throw new Error(`openapi.json: ${reply.status} ${reply.statusText}`);
  }
  const description = await reply.json();
  // What is tried here goes to the server that the page came from, three folders up, whatever the issuer's name is.
  description.servers = [{url: new URL("../../..", location.href).href.replace(/\/$/, "")}];
  SwaggerUIBundle({
    spec: description,
    domNode: place,
    deepLinking: true,
    validatorUrl: null,
  });
}

const place = document.getElementById("docs");
show(place).catch((error) => {
  place.className = "failure";
  place.textContent = `The document cannot be shown. ${error.message}`;
});
